"""A small fleet in memory with real rows, a clock that the test turns, and workers that can be killed.

The cast: ola operates, cal is on call and approves, ada may only look.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from guardian.shortcuts import assign_perm

from approvals.models import Actor, User
from fleet import sealed
from fleet.gateways.crowd import Crowd
from fleet.gateways.holdings import CONF
from fleet.gateways.machine import Machine, Place
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.simulated_base import World
from fleet.models import Gateway, Pool
from fleet.ports import Gateway as Port
from releases import configs
from releases.models import ChannelPolicy, ConfigRevision, Release, Signature, TrustedSigner
from tests.unit.releases import desk
from upgrader import engine, run, services
from upgrader.models import Budget, Rollout, StepRun, Strategy, Upgrade
from upgrader.news import News
from upgrader.states import S

OLD, NEW = "1.1.6-3", "1.3.0-2"
SUMS = "what its signers signed\n"
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "waves": [{"title": "canary", "count": 1, "weights": [25, 100]}, {"title": "rest", "rest": True}],
    "observe_seconds": 10,
    "poll_seconds": 1,
    "trial_seconds": 60,
    "at_once": 2,
    "promote": "hand",
    "limits": {"login_success_min": 0.98, "min_logins": 8, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}


class Fleet:
    """Three gateways with four users each, one pool, three people, one release to go to."""

    def __init__(self, *, gateways: int = 3, users: int = 4, spec: dict[str, Any] | None = None) -> None:
        self.seconds = START.timestamp()
        self.pool = Pool.objects.create(name="eu-west")
        # A transactional test begins without the rows that migrations make.
        ChannelPolicy.objects.get_or_create(channel=self.pool.channel)
        free_budget()
        self.machines: dict[str, MemoryGateway] = {}
        for number in range(1, gateways + 1):
            self.add_gateway(f"gw-{number}", users)
        self.release = make_release(NEW, "1.3.0", counter=1003000)
        self.strategy = Strategy.objects.create(name="careful", title="Careful canary", spec=spec or SPEC)
        self.ola = self.person("ola", "submit_rollout", "promote_rollout", "hold_rollout", "rollback_rollout")
        self.cal = self.person("cal", "approve_rollout", "rollback_rollout", "hold_rollout", "promote_rollout")
        self.ada = self.person("ada", "view_pool")
        self.opener: Callable[[Gateway], Port] = lambda row: self.machines[row.name]
        self.news = News()

    def add_gateway(self, name: str, users: int) -> None:
        machine = Machine(name, crowd=Crowd(name, users=users))
        machine.releases[OLD] = ("0" * 64, "1.1.6")
        machine.launch(machine.slots[1], OLD, self.seconds)
        machine.steering.committed = Place(1, OLD)
        machine.effects.clear()
        world = World(clock=lambda: self.seconds, sleep=lambda _: None)
        self.machines[name] = MemoryGateway(machine, world=world)
        machine.crowd.open(machine, self.seconds)
        Gateway.objects.create(name=name, pool=self.pool, adapter="memory", address=name, release=OLD, sessions=users)
        sealed.seal(f"probe:{name}", b"probe\nsecret")

    def person(self, name: str, *codenames: str) -> User:
        user = User.objects.create(username=name)
        for codename in {*codenames, "view_pool"}:
            assign_perm(codename, user, self.pool)
        return user

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def watch_for(self, seconds: int) -> None:
        """Let each share be observed for longer than SPEC says, for what takes its time."""
        self.strategy.spec = {**self.strategy.spec, "observe_seconds": seconds}
        self.strategy.save()

    def who(self, user: User) -> Actor:
        return Actor(kind="person", name=user.username, user_id=user.pk)

    def draft(self, config: ConfigRevision | None = None) -> Rollout:
        wanted: dict[str, Any] = {"release": self.release, "pool": self.pool, "strategy": self.strategy}
        return services.draft(**wanted, by=self.ola, now=self.now(), config=config)

    def agreed(self, text: str) -> ConfigRevision:
        """A configuration that ola proposed; the first is what the gateways have."""
        assign_perm("propose_config", self.ola, self.pool)
        for row in Gateway.objects.filter(pool=self.pool):
            Gateway.objects.filter(pk=row.pk).update(facts=dict(self.machines[row.name].facts().raw))
        place, actor = configs.Place(self.pool), self.who(self.ola)
        if configs.agreed_for(place) is None:
            configs.propose(place, CONF, note="as it is", by=self.ola, actor=actor, now=self.now())
        return configs.propose(place, text, note="because", by=self.ola, actor=actor, now=self.now())

    def started(self, config: ConfigRevision | None = None) -> Rollout:
        """A rollout that was submitted by ola and approved by cal."""
        rollout = self.draft(config)
        services.submit(rollout, actor=self.who(self.ola), seen_version=0, now=self.now())
        rollout.refresh_from_db()
        services.decide(rollout, yes=True, reason="", digest=rollout.digest, actor=self.who(self.cal), now=self.now())
        rollout.refresh_from_db()
        return rollout

    def act(self, action: str, rollout: Rollout, *, by: User | None = None, reason: str = "because") -> None:
        rollout.refresh_from_db()
        getattr(services, action)(
            rollout, actor=self.who(by or self.ola), seen_version=rollout.version, reason=reason, now=self.now()
        )
        rollout.refresh_from_db()

    def work(self) -> None:
        """Do all that is due at this moment, as a worker would: it looks where there is news."""
        for _ in range(200):
            ids = engine.tick(now=self.now(), news=self.news)
            if not ids:
                return
            for step_id in ids:
                if run.run_chain(step_id, opener=self.opener, clock=self.now).ask_engine:
                    engine.advance(Rollout.objects.get(waves__upgrades__steps=step_id).pk, now=self.now())
        raise AssertionError("the work of one moment has no end")

    def due_step(self, name: str, seconds: int = 300) -> StepRun:
        """Let time pass until a step of this name is due; leave it undone."""
        for _ in range(20 * seconds):
            ids = engine.tick(now=self.now())
            if found := StepRun.objects.filter(pk__in=ids, name=name).first():
                return found
            for step_id in ids[:1]:
                run.run_step(step_id, opener=self.opener, clock=self.now)
            self.seconds += 0 if ids else 1
        raise AssertionError(f"{name} never came")

    def turn(self, seconds: float) -> None:
        """Let time pass, second by second."""
        for _ in range(int(seconds)):
            self.work()
            self.seconds += 1
        self.work()

    def until(self, rollout: Rollout, *states: str, seconds: int = 300) -> Rollout:
        """Let time pass until the rollout is in one of the states."""
        for _ in range(seconds):
            self.work()
            rollout.refresh_from_db()
            if rollout.state in states:
                return rollout
            self.seconds += 1
        raise AssertionError(f"after {seconds} s the rollout is {rollout.state}: {rollout.reason}")

    def until_step(self, rollout: Rollout, name: str) -> None:
        """Do what is due, step by step, until a step of this name is next; leave it undone."""
        for _ in range(50):
            due = engine.tick(now=self.now())
            first = StepRun.objects.filter(pk__in=due, upgrade__wave__rollout=rollout).first()
            if first is not None and first.name == name:
                return
            if first is not None:
                run.run_step(first.pk, opener=self.opener, clock=self.now)
        raise AssertionError(f"{name} never came")

    def sign_out_all(self) -> None:
        for gateway in self.machines.values():
            for session in list(gateway.machine.sessions()):
                gateway.machine.sign_out(session)
                for chair in gateway.machine.crowd.chairs:
                    if chair.session == session:
                        chair.session = None

    def upgrades(self, rollout: Rollout) -> list[Upgrade]:
        return list(Upgrade.objects.filter(wave__rollout=rollout).select_related("gateway", "wave"))

    def open_steps(self) -> list[StepRun]:
        return list(StepRun.objects.filter(state__in=[S.DUE, S.CLAIMED]))

    def later(self, seconds: float) -> datetime:
        return self.now() + timedelta(seconds=seconds)


def free_budget() -> None:
    """The fleet's budget with room for everything: what is tested elsewhere does not wait for it."""
    Budget.objects.update_or_create(pool=None, defaults={"gateways_percent": 100, "made_at": START})


def make_release(name: str, version: str, *, counter: int) -> Release:
    """A release as intake leaves it, with a bundle of a few bytes."""
    manifest = json.dumps({"release": name, "version": version})
    digest = hashlib.sha256(manifest.encode()).hexdigest()
    bundle = Path(settings.REPOSITORY) / digest / "bundle.tar.zst"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"bundle")
    release = Release.objects.create(
        name=name,
        product="ocserv",
        version=version,
        counter=counter,
        architecture="amd64",
        digest=digest,
        manifest=manifest,
        sums=SUMS,
        bundle=f"{digest}/bundle.tar.zst",
        size=6,
        sha256=hashlib.sha256(b"bundle").hexdigest(),
        added_at=START,
        channel="production",
    )
    tsk = desk.key("lab")
    about = {"label": "lab", "public_key": desk.public(tsk), "added_at": START}
    signer, _ = TrustedSigner.objects.get_or_create(fingerprint=desk.fingerprint(tsk), defaults=about)
    text = desk.signature(tsk, SUMS.encode()).decode()
    who = {"signer": signer, "identity": signer.fingerprint, "verified_at": START}
    Signature.objects.create(release=release, name="SHA256SUMS.asc", text=text, **who)
    return release
