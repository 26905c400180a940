"""People who press what they find: with the right and without, twice, and from a page that is old."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import Q

from approvals.errors import Refused
from approvals.models import Request
from tests.chaos import specs
from tests.chaos.town import Town
from upgrader import services
from upgrader.models import Rollout, Strategy, Upgrade
from upgrader.states import ACTION_STATES, R, U

ACTIONS = ("submit", "promote", "hold", "resume", "retry", "skip", "abort", "roll_back", "extend", "ask_cut")
OF_ONE_GATEWAY = frozenset({"retry", "skip"})
STALE = 0.2  # of what is pressed, on a page that is old


class People:
    """Everybody who may press something, through the services and in a web process that can be killed."""

    def __init__(self, town: Town) -> None:
        self.town, self.dice = town, town.dice
        self.seen: dict[int, list[int]] = {}  # rollout → versions that were on somebody's screen
        self.count = 0
        self.rate = town.dice.choice((0.05, 0.1, 0.25))  # whims a moment

    def draft(self, by: str = "ola") -> None:
        """Somebody plans a rollout for a pool; a strategy that contradicts itself is written anew."""
        pool, release = self.dice.choice(self.town.pools), self.dice.choice(self.town.releases)
        for _ in range(10):
            self.count += 1
            spec = specs.drawn(self.dice, in_place=self.town.kinds[pool.pk].startswith("in_place"))
            strategy = Strategy.objects.create(name=f"drawn-{self.count}", title=f"Drawn {self.count}", spec=spec)
            wish = {"release": release, "pool": pool, "strategy": strategy, "by": self.town.people[by]}
            what = f"{by} drafts {release.name} for {pool.name} ({strategy.spec['kind']})"
            if "can't be read" not in self.press(what, partial(self.plan, wish)):
                return

    def plan(self, wish: dict[str, Any]) -> None:
        services.draft(**wish, now=self.town.now())

    def press(self, what: str, act: Callable[[], object]) -> str:
        """One request to the web half; what it refused with, "" when it did not."""
        town = self.town
        said: list[str] = []
        browser = self.dice.choice(town.browsers)

        def work() -> None:
            try:
                act()
            except Refused as no:
                said.append(no.say)
            except Exception as error:
                town.failures.append(f"{what}: {type(error).__name__}: {error}")

        ended = town.processes.run(browser, work)
        outcome = said[0] if said else "ok" if ended else "its web process was killed"
        town.told(f"people: {what}: {outcome[:110]}")
        return said[0] if said else ""

    def act(self, action: str, rollout: Rollout, *, by: str, reason: str = "because") -> str:
        """Press a button of a rollout; now and then on a page that is old."""
        fresh = Rollout.objects.get(pk=rollout.pk)
        known = self.seen.setdefault(rollout.pk, [])
        known.append(fresh.version)
        version = self.dice.choice(known) if self.dice.random() < STALE and not self.town.processes.calm else known[-1]
        call = getattr(services, action)
        more: dict[str, Any] = {"actor": self.town.actor(by), "seen_version": version, "now": self.town.now()}
        if action != "submit":
            more["reason"] = reason
        if action == "extend":
            more["hours"] = 1
        if action in OF_ONE_GATEWAY:
            upgrade = self.one_gateway(action, fresh)
            if upgrade is None:
                return "no gateway"
            more["upgrade_id"] = upgrade.pk
        return self.press(f"{by} {action}s rollout {rollout.pk} ({fresh.state}, v{version} of {fresh.version})",
                          lambda: call(fresh, **more))  # fmt: skip

    def one_gateway(self, action: str, rollout: Rollout) -> Upgrade | None:
        rows = Upgrade.objects.filter(wave__rollout=rollout)
        if action == "retry" or self.town.processes.calm:
            rows = rows.filter(state=U.FAILED)  # who is patient leaves out those that are in the way
        found = list(rows)
        return self.dice.choice(found) if found else None

    def decide(self, rollout: Rollout, *, yes: bool, by: str, reason: str = "downgrade is fine") -> str:
        fresh = Rollout.objects.get(pk=rollout.pk)
        said: dict[str, Any] = {"yes": yes, "reason": reason, "digest": fresh.digest, "actor": self.town.actor(by)}
        what = f"{by} says {'yes' if yes else 'no'} to rollout {rollout.pk} ({fresh.state})"
        return self.press(what, lambda: services.decide(fresh, **said, now=self.town.now()))

    def whim(self) -> None:
        """What somebody thinks of just now; half of it makes sense."""
        rollouts = list(Rollout.objects.exclude(state__in=[R.REJECTED]))
        if not rollouts:
            return
        if self.dice.random() < 0.3:
            self.answer_requests(self.dice.randrange(3))
        rollout = self.dice.choice(rollouts)
        by = self.dice.choice(("ola", "ola", "olga", "cal", "cal", "ada"))
        if rollout.state == R.PLANNED:
            self.act("submit", rollout, by=by)
        elif rollout.state == R.WAITING_APPROVAL:
            self.decide(rollout, yes=self.dice.random() < 0.9, by=by)
        elif self.dice.random() < 0.3:
            self.act(self.dice.choice(ACTIONS), rollout, by=by)
        else:
            self.sensible(rollout, by)
        if self.dice.random() < 0.1:
            self.whim()  # somebody else, at the same moment

    def sensible(self, rollout: Rollout, by: str) -> None:
        offered = [name for name in ACTIONS if R(rollout.state) in ACTION_STATES[name]]
        # Most people want it to go on.
        offered += [name for name in ("promote", "resume") if name in offered] * 4
        if offered:
            self.act(self.dice.choice(offered), rollout, by=by)

    def bring_to_an_end(self, rollout: Rollout, round: int) -> list[str]:
        """What a patient person does to a rollout that stands; what was refused on the way."""
        state = R(rollout.state)
        self.answer_requests(round)
        match state:
            case R.PLANNED:
                return [self.act("submit", rollout, by="ola")]
            case R.WAITING_APPROVAL:
                asker = rollout.request.requested_by.username if rollout.request else ""
                return [self.decide(rollout, yes=round % 4 != 3, by="cal" if asker != "cal" else "olga")]
            case R.WAITING_PROMOTION if round < 7:
                return self.first(rollout, ("promote", "roll_back"))
            case R.HELD if round < 7:
                return self.first(rollout, ("resume", "roll_back", "abort"))
            case R.UPGRADING if round >= 7 and rollout.waits:
                return self.first(rollout, ("roll_back", "abort"))
            case R.HELD if round % 3 == 2:
                return self.first(rollout, ("skip", "roll_back", "abort"))
            case R.HELD | R.WAITING_PROMOTION | R.FAILED:
                return self.first(rollout, ("roll_back", "abort", "resume"))
            case _:
                return []

    def first(self, rollout: Rollout, actions: tuple[str, ...]) -> list[str]:
        """The first of these that is not refused."""
        refused: list[str] = []
        for action in actions:
            fresh = Rollout.objects.get(pk=rollout.pk)
            if R(fresh.state) in ACTION_STATES[action]:
                said = self.act(action, fresh, by="cal")
                if not said:
                    return []
                refused.append(f"{action}: {said}")
        return refused

    def answer_requests(self, round: int) -> None:
        """Open questions that are not a rollout's start: the first who may answers."""
        for request in Request.objects.filter(Q(state="open") & ~Q(kind=services.KIND)):
            self.answer(request, yes=round % 3 != 2)

    def answer(self, request: Request, *, yes: bool) -> None:
        """The second person's word on a rollback or on users to be cut."""
        rollout = Rollout.objects.get(pk=int(request.subject.partition(":")[2]))
        by = "olga" if request.requested_by.username == "cal" else "cal"
        decide = {"rollout.rollback": services.decide_back, "drain.cut": services.decide_cut}[request.kind]
        said: dict[str, Any] = {"yes": yes, "reason": "looked at", "digest": request.digest}
        what = f"{by} says {'yes' if yes else 'no'} to {request.kind} of rollout {rollout.pk}"
        self.press(what, lambda: decide(rollout, **said, actor=self.town.actor(by), now=self.town.now()))

    def start_all(self) -> None:
        """The usual way: one asks, another says yes. Whoever is killed on the way is asked again later."""
        for rollout in Rollout.objects.filter(state=R.PLANNED):
            self.act("submit", rollout, by=rollout.created_by.username)
            self.decide(rollout, yes=True, by="cal")

    def allowed(self, gateway: str, verb: str) -> int:
        """How many users people have agreed to cut on a gateway by this verb now, by the plans they said yes to."""
        most = 0
        mine = Upgrade.objects.filter(gateway__name=gateway, wave__rollout__request__state="approved")
        for upgrade in mine.select_related("wave__rollout"):
            most = max(most, self._of_plan(upgrade) if verb == "replace" else self._of_drain(upgrade))
        return most

    def _of_plan(self, upgrade: Upgrade) -> int:
        """What the approved plan says of a gateway that holds one release at a time."""
        entries = [entry for wave in upgrade.wave.rollout.plan["waves"] for entry in wave["gateways"]]
        return max(int(entry["cut"]) for entry in entries if entry["id"] == upgrade.gateway_id)

    def _of_drain(self, upgrade: Upgrade) -> int:
        drain = upgrade.wave.rollout.plan["spec"].get("drain") or {}
        most = int(drain.get("sessions_max") or 0)
        if drain.get("at_deadline") == "cut":
            most = max(most, int(drain.get("cut_at_most") or 0))
        subject = f"rollout:{upgrade.wave.rollout_id}"
        for request in Request.objects.filter(kind="drain.cut", subject=subject, state="approved"):
            most = max([most, *(cut["users"] for cut in request.summary["cuts"] if cut["id"] == upgrade.pk)])
        return most
