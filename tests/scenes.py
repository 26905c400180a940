"""A rollout in each of its states, as a person would find it. `scene(name, now=…)` makes the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from approvals.models import Actor, User
from releases.models import Release
from tests import factories as f
from upgrader import services
from upgrader.models import Budget, Rollout, Upgrade, Wave
from upgrader.states import Outcome, R, S, U, W

FAILS = (
    "14 of 126 logins failed on 1.3.0-2, 2 of 126 on 1.1.6-2. At the limit chance shows this less than once in "
    "10,000 windows. Last: the server closed the connection after the password."
)
CARRIES = "Every gateway of wave {} carries its share."
SERVES = "Every gateway of wave {} serves the new release for good."


@dataclass
class Scene:
    rollout: Rollout
    people: dict[str, User]
    now: datetime

    def actor(self, name: str) -> Actor:
        return Actor(kind="person", name=name, user_id=self.people[name].pk)

    @property
    def waves(self) -> list[Wave]:
        return list(self.rollout.waves.all())

    def upgrades(self, number: int) -> list[Upgrade]:
        rows = Upgrade.objects.filter(wave__rollout=self.rollout, wave__number=number)
        return list(rows.select_related("gateway", "wave__rollout__release"))


def planned(scene: Scene) -> None:
    """As factories.draft leaves it."""


def waiting_approval(scene: Scene) -> None:
    f.ask(scene.rollout, scene.people["operator"], now=scene.now - timedelta(minutes=3))


def approved(scene: Scene) -> None:
    waiting_approval(scene)
    request = scene.rollout.request
    assert request is not None
    at = scene.now - timedelta(minutes=2)
    f.answer(request, scene.people["oncall"], yes=True, reason="As planned", at=at)
    f.told("approval.approved", scene.rollout, by=scene.people["oncall"], at=at, reason="As planned")
    f.put(scene.rollout, R.UPGRADING, "Approved.", at=scene.now - timedelta(minutes=2))


def upgrading(scene: Scene) -> None:
    approved(scene)
    f.put_wave(scene.waves[0], W.UPGRADING, at=scene.now, reason="Wave 1 starts.")
    upgrade = f.put_upgrade(scene.upgrades(1)[0], U.UPGRADING, at=scene.now, from_slot=1, to_slot=2)
    f.step(upgrade, "preflight", at=scene.now)
    progress = {"say": "takes the release", "done": 3_100_000, "total": 4_812_331}
    f.step(upgrade, "stage", S.CLAIMED, at=scene.now, progress=progress, attempts=1)


def observing(scene: Scene) -> None:
    approved(scene)
    begun = scene.now - timedelta(minutes=7)
    until = scene.now + timedelta(minutes=3, seconds=12)
    f.put_wave(scene.waves[0], W.OBSERVING, at=begun, observe_until=until, stage=1, reason=CARRIES.format(1))
    columns = {"from_slot": 1, "to_slot": 2, "before": ["s1", "s2", "s3", "s4"], "trial_until": until}
    upgrade = f.put_upgrade(scene.upgrades(1)[0], U.OBSERVING, at=begun, **columns)
    f.two_slots(upgrade, old=3, new=9, weight=100, now=scene.now)
    f.step(upgrade, "shift", at=begun - timedelta(minutes=2), args={"weight": 25})
    f.step(upgrade, "shift", at=begun, args={"weight": 100})
    f.step(upgrade, "observe", S.DUE, at=scene.now)
    f.probes(upgrade, since=begun - timedelta(minutes=2), number=105)
    sentence = "0 of 88 logins failed on 1.3.0-2, 1 of 88 on 1.1.6-2."
    f.verdict(scene.waves[0], Outcome.PASS, sentence, at=scene.now)


def waiting_promotion(scene: Scene) -> None:
    observing(scene)
    f.verdict(scene.waves[0], Outcome.PASS, "0 of 120 logins failed on 1.3.0-2.", at=scene.now, final=True)
    f.put_wave(scene.waves[0], W.PASSED, at=scene.now, reason=SERVES.format(1))
    f.put_upgrade(scene.upgrades(1)[0], U.DRAINING, at=scene.now)
    scene.upgrades(1)[0].steps.filter(state=S.DUE).update(name="drain", args={"slot": 1})
    f.put(scene.rollout, R.WAITING_PROMOTION, "Wave 1 passed. Wave 2 waits for a person.", at=scene.now)


def held(scene: Scene) -> None:
    observing(scene)
    scene.rollout.held_from = R.UPGRADING
    f.put(scene.rollout, R.HELD, "Held by oncall.", at=scene.now, by=scene.people["oncall"])


def stuck(scene: Scene) -> None:
    upgrading(scene)
    upgrade = scene.upgrades(1)[0]
    say = "0.2 GB is free and the release needs 0.4 GB. Free some, then resume."
    upgrade.steps.filter(state=S.CLAIMED).update(state=S.FAILED, error=say)
    f.put_upgrade(upgrade, U.FAILED, at=scene.now, reason=say)
    scene.rollout.held_from = R.UPGRADING
    f.put(scene.rollout, R.HELD, f"fra-gw-01: {say}", at=scene.now)


def carried(scene: Scene) -> None:
    """Every gateway serves the new release; the old slots hold some users yet."""
    observing(scene)
    for wave in scene.waves:
        f.put_wave(wave, W.PASSED, at=scene.now, reason=SERVES.format(wave.number))
        f.verdict(wave, Outcome.PASS, "0 of 120 logins failed on 1.3.0-2.", at=scene.now, final=True)
        for upgrade in scene.upgrades(wave.number):
            before = [f"{upgrade.pk}-{n}" for n in range(upgrade.gateway.sessions)]
            f.put_upgrade(upgrade, U.DRAINING, at=scene.now, from_slot=1, to_slot=2, before=before)
            f.two_slots(upgrade, old=max(1, len(before) // 3), new=len(before), weight=100, now=scene.now)


def draining(scene: Scene) -> None:
    carried(scene)
    say = "Every gateway serves 1.3.0-2 to new users; old slots drain."
    f.put(scene.rollout, R.DRAINING, say, at=scene.now)


def done(scene: Scene) -> None:
    draining(scene)
    for wave in scene.waves:
        for upgrade in scene.upgrades(wave.number):
            upgrade.steps.filter(state__in=[S.DUE, S.CLAIMED]).update(state=S.DONE)
            f.two_slots(upgrade, old=0, new=len(upgrade.before), weight=100, now=scene.now)
            f.put_upgrade(upgrade, U.DONE, at=scene.now, kept=len(upgrade.before), old_retired_at=scene.now)
    f.put(scene.rollout, R.DONE, "The last old slot is empty and retired.", at=scene.now)


def failing(scene: Scene) -> None:
    """The first wave fails its observation."""
    observing(scene)
    upgrade = scene.upgrades(1)[0]
    upgrade.gateway.samples.all().delete()
    f.probes(upgrade, since=scene.now - timedelta(minutes=9), number=105, fail_from=60)
    f.verdict(scene.waves[0], Outcome.FAIL, FAILS, at=scene.now, final=True)
    f.put_wave(scene.waves[0], W.ROLLING_BACK, at=scene.now, reason=FAILS)
    upgrade.steps.filter(state=S.DUE).update(state=S.DROPPED)
    f.put_upgrade(upgrade, U.ROLLING_BACK, at=scene.now)
    f.step(upgrade, "restore", S.CLAIMED, at=scene.now, attempts=1)


def rolling_back(scene: Scene) -> None:
    failing(scene)
    f.put(scene.rollout, R.ROLLING_BACK, FAILS, at=scene.now)


def rolled_back(scene: Scene) -> None:
    rolling_back(scene)
    upgrade = scene.upgrades(1)[0]
    upgrade.steps.filter(state=S.CLAIMED).update(state=S.DONE, finished_at=scene.now)
    f.put_upgrade(upgrade, U.ROLLED_BACK, at=scene.now, kept=4, snapshot="1/fra-gw-01.tar.gz")
    f.two_slots(upgrade, old=9, new=3, weight=0, now=scene.now)
    f.put_wave(scene.waves[0], W.ROLLED_BACK, at=scene.now, reason="Every gateway of the wave serves the old release.")
    f.put(scene.rollout, R.ROLLED_BACK, "Rolled back and verified.", at=scene.now)


def failed(scene: Scene) -> None:
    rolling_back(scene)
    upgrade = scene.upgrades(1)[0]
    say = "The old slot on fra-gw-01 answers, but the login probe there fails."
    upgrade.steps.filter(state=S.CLAIMED).update(state=S.FAILED, error=say, finished_at=scene.now)
    f.put_upgrade(upgrade, U.FAILED, at=scene.now, reason=say)
    f.put(scene.rollout, R.FAILED, f"fra-gw-01 could not be rolled back: {say}", at=scene.now)


def rejected(scene: Scene) -> None:
    waiting_approval(scene)
    assert scene.rollout.request is not None
    f.answer(scene.rollout.request, scene.people["oncall"], yes=False, reason="Not on a Friday.", at=scene.now)
    f.put(scene.rollout, R.REJECTED, "Not on a Friday.", at=scene.now, by=scene.people["oncall"])


def late(scene: Scene) -> None:
    """The time of two drains is over, with users on their old slots."""
    draining(scene)
    for upgrade, users in zip(scene.upgrades(2)[:2], (5, 2), strict=True):
        f.put_upgrade(upgrade, U.DRAINING, at=scene.now, drain_until=scene.now - timedelta(minutes=12))
        names = [{"user": f"user{number}", "idle_seconds": 3600 - 600 * number} for number in range(users)]
        counted = {"sessions": users, "oldest_seconds": 41_000, "idle": users - 1, "users": names}
        f.step(upgrade, "drain", S.DUE, at=scene.now, args={"slot": 1}, result=counted)


def cut_asked(scene: Scene) -> None:
    """The operator asked to cut them."""
    late(scene)
    who, seen = scene.actor("operator"), scene.rollout.version
    services.ask_cut(scene.rollout, actor=who, seen_version=seen, reason="The site loses power at noon.", now=scene.now)


def back_asked(scene: Scene) -> None:
    """The operator asked to roll back more gateways than one person may."""
    draining(scene)
    Budget.objects.filter(pool=None).update(rollback_gateways=2)
    who, seen, why = scene.actor("operator"), scene.rollout.version, "Logins hang on the new release."
    services.roll_back(scene.rollout, actor=who, seen_version=seen, reason=why, now=scene.now)
    scene.rollout.refresh_from_db()
    Budget.objects.filter(pool=None).update(rollback_gateways=None)


def ready(scene: Scene) -> None:
    """Blue-green: of the second wave one is left out, one is filled and one is being filled."""
    carried(scene)
    left_out, filled, going = scene.upgrades(2)
    f.put_wave(scene.waves[1], W.UPGRADING, at=scene.now, reason="Wave 2 starts.")
    f.put_upgrade(left_out, U.SKIPPED, at=scene.now, reason="Its disk is being changed.", from_slot=None, to_slot=None)
    f.put_upgrade(filled, U.READY, at=scene.now)
    f.put_upgrade(going, U.UPGRADING, at=scene.now)
    f.two_slots(filled, old=12, new=0, weight=0, now=scene.now)
    f.step(going, "start", S.CLAIMED, at=scene.now, attempts=1)


SCENES: dict[str, Callable[[Scene], None]] = {
    make.__name__: make
    for make in (
        *(planned, waiting_approval, upgrading, observing, waiting_promotion, held, stuck),
        *(draining, done, rolling_back, rolled_back, failed, rejected),
        *(late, cut_asked, back_asked, ready),
    )
}


def scene(name: str, *, on: str = "eu-west", release: str = "1.3.0-2") -> Scene:
    """Make a pool of four gateways and a rollout over it in the state called `name`, as of now."""
    now = timezone.now()
    where = f.pool(on)
    people = f.cast()
    for who, rights in (("operator", f.OPERATOR), ("oncall", f.ONCALL)):
        f.person(who, rights, where)
    if not where.gateways.exists():
        names = {"fra-gw-01": 4, "fra-gw-02": 31, "ams-gw-01": 12, "ams-gw-02": 27}
        for gateway, sessions in names.items():
            label = gateway if on == "eu-west" else gateway.replace("gw", on)
            f.gateway(label, sessions=sessions, now=now, on=where)
    what = Release.objects.filter(name=release).first() or f.release(release)
    begun = now - timedelta(minutes=15)
    made = Scene(f.draft(people["operator"], to=what, now=begun, on=where), people, now)
    SCENES[name](made)
    return made
