"""Run one step: claim its row, do the work outside of any transaction, settle the row."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from django.conf import settings

from approvals import trail
from approvals.errors import Refused
from fleet import sealed, traffic
from fleet import services as fleet
from fleet.errors import GiveUp, RetryLater
from fleet.models import Gateway as GatewayRow
from fleet.models import Sample
from fleet.ports import Gateway, ReleaseFiles, Statement
from fleet.traffic.ports import Traffic
from releases import configs, downloads
from releases import services as releases
from releases.models import Release
from upgrader import advice, alive, approval, claims, drifted, flow, plans
from upgrader.claims import Claim, GoOn, Settled
from upgrader.journal import LostRace
from upgrader.models import Rollout, StepRun
from upgrader.states import R, S, U
from upgrader.steps.job import Config, Done, Job, NotYet
from upgrader.steps.table import step_of
from upgrader.stored import StoredFor

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]
Opener = Callable[[GatewayRow], Gateway]


@dataclass(frozen=True)
class Ended:
    """What follows a run: a step for another lane; whether to ask the engine, `urgent` where something went wrong."""

    opened: list[StepRun] = field(default_factory=list)
    ask_engine: bool = False
    urgent: bool = False


def run_step(step_id: int, *, opener: Opener, clock: Clock) -> list[StepRun]:
    """Run one step if it is due; return the step that follows, if one does. Safe to call any number of times."""
    return run_chain(step_id, opener=opener, clock=clock).opened


def run_chain(step_id: int, *, opener: Opener, clock: Clock, steps: frozenset[str] = frozenset()) -> Ended:
    """Run a step if it is due, and those after it while their names are in `steps`: settled and claimed in one go."""
    step = claims.found(step_id)
    if step is None or not may_begin(step, now=clock()):
        return Ended()
    claimed = claims.claim(step_id, owner=alive.owner(), now=clock(), seen=step)
    if claimed is None:
        return Ended()
    go_on = GoOn(alive.owner(), steps) if steps else None
    with Opened(opener) as opened:
        while True:
            ended, claimed = run_claimed(claimed, opened=opened, clock=clock, go_on=go_on)
            if claimed is None:
                return ended


def run_claimed(claimed: Claim, *, opened: Opened, clock: Clock, go_on: GoOn | None) -> tuple[Ended, Claim | None]:
    """Do one step that is ours and settle it; with the claim of the next one where we go on with it."""
    settled, outcome = attempt(claimed, opened=opened, clock=clock)
    before = claimed.upgrade.state
    if go_on is not None and not passes_on(claimed, now=clock()):
        go_on = None

    now = clock()  # one moment: a gateway that was heard from later than its step ended would be asked again

    def keep() -> None:
        if outcome is not None:
            keep_outcome(claimed, outcome, now=now)

    try:
        follows = claims.settle(claimed, settled, now=now, go_on=go_on, keep=keep)
    except LostRace as lost:
        # What it saw is not kept either: somebody may have changed the gateway since, and noted that.
        log.info("%s", lost)
        return Ended(ask_engine=True), None
    if next_claim := claims.going_on(follows):
        return Ended(), next_claim
    ask, urgent = asks_engine(claimed, settled, before=before)
    return Ended([follows] if follows else [], ask_engine=ask, urgent=urgent), None


def asks_engine(claimed: Claim, settled: Settled, *, before: str) -> tuple[bool, bool]:
    """Whether the settled step can change what decide.py sees, and whether that may not wait: a state moved, or there
    is new evidence.

    `before`: the upgrade's state. While others of its wave are where it was, only what has not begun waits for it, and
    the tick looks each second; the last one lets the wave go on.
    """
    if settled.to == S.DUE:
        return claimed.step.name == "observe", is_bad(settled)
    if settled.to == S.FAILED:
        return True, True
    if claimed.upgrade.state == before and not flow.moves(claimed.step.name):
        return False, False
    behind = claims.behind(claimed.upgrade, before)
    return U.PLANNED in behind or before not in behind, before not in behind


def is_bad(settled: Settled) -> bool:
    """Whether what it watches speaks against the new release."""
    canary = settled.result.get("tally", {}).get("canary", {})
    return bool(settled.result.get("lost") or canary.get("failed") or canary.get("restarts"))


class Opened:
    """The gateway of a chain of steps: opened for the first of them, given back after the last."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._gateway: Gateway | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._gateway is not None:
            self._gateway.close()

    def of(self, row: GatewayRow) -> Gateway:
        """Open it, or take what is open while the gateway may still be spoken to."""
        if self._gateway is None or row.state not in GatewayRow.SPOKEN_TO:
            self._gateway = self._opener(row)
        return self._gateway


def may_begin(step: StepRun, *, now: datetime) -> bool:
    """Whether the step may begin: not on hold, and its release not withdrawn since. The second holds the rollout."""
    rollout = step.upgrade.wave.rollout
    if rollout.state == R.HELD and step.name not in flow.RUNS_WHILE_HELD:
        return False
    return step.name not in flow.USES_RELEASE or not approval.hold_if_unusable(rollout, now=now)


def passes_on(claimed: Claim, *, now: datetime) -> bool:
    """Whether the step after this one may be taken at once; the last before users move is asked as a first one is."""
    rollout = claimed.upgrade.wave.rollout
    if claimed.step.name != flow.LAST_BEFORE_USERS[plans.config_way(rollout)]:
        return True
    return not approval.hold_if_unusable(rollout, now=now)


def attempt(claimed: Claim, *, opened: Opened, clock: Clock) -> tuple[Settled, Done | NotYet | None]:
    """Do the step's work. Two failures are expected; anything else is a bug that is recorded and seen."""
    name = claimed.step.name
    try:
        with trail.span("step", **claimed.about), traffic.opened(claimed.upgrade.gateway) as front:
            gateway = opened.of(claimed.upgrade.gateway)
            if not claimed.ordered and name not in flow.LOOKS_FIRST:
                fleet.prove(claimed.upgrade.gateway, gateway, fence=claimed.fence, now=clock())
            outcome = step_of(name, claimed.upgrade.way)(job_of(claimed, clock=clock, front=front), gateway)
    except RetryLater as later:
        return no_answer(claimed, later), None
    except GiveUp as no:
        if no.code in ("fence_too_low", "ahead"):
            # Perhaps this database is older than what the gateway has seen: then it is quarantined, and asked no more.
            if no.code == "fence_too_low":
                look_ahead(claimed, opened=opened, now=clock())
            # Somebody drew a later fence for this gateway: claim again with one of our own.
            return Settled(S.DUE, error=no.say, wait=0.2, result=claimed.step.result), None
        say = advice.with_way_on(no.say, no.code, step=name)
        return Settled(S.FAILED, error=say, result={"code": no.code}), None
    except LostRace as lost:
        return Settled(S.DUE, error=str(lost)), None
    except Exception:
        log.exception("step %s of upgrade %s", name, claimed.upgrade.pk)
        last = traceback.format_exc().strip().splitlines()[-1][:300].rstrip(".")
        say = f"A fault of ours in step {name}: {last}. The log has the whole."
        return Settled(S.FAILED, error=advice.with_way_on(say, "", step=name)), None
    if isinstance(outcome, Done):
        return Settled(S.DONE, result={**outcome.result, "say": outcome.say}, columns=outcome.columns), outcome
    result = {"say": outcome.say, **outcome.result}
    return Settled(S.DUE, result=result, wait=outcome.seconds, columns=outcome.columns), outcome


def look_ahead(claimed: Claim, *, opened: Opened, now: datetime) -> None:
    row = claimed.upgrade.gateway
    with contextlib.suppress(RetryLater, GiveUp):
        fleet.note_facts(row, opened.of(row).facts().raw, now=now)


def no_answer(claimed: Claim, later: RetryLater) -> Settled:
    """Come back later, or give up after flow.PATIENCE tries where going on needs an answer."""
    tries = claimed.attempts
    if claimed.step.name in flow.NEVER_TIRES or tries < flow.PATIENCE:
        misses = int(claimed.step.result.get("misses", 0)) + 1
        result = {**claimed.step.result, "misses": misses, "say": later.say}
        return Settled(S.DUE, error=later.say, wait=flow.retry_after(misses), result=result)
    say = f"{later.say} Asked {tries} times. Users on the gateway were not touched. Resume asks again."
    return Settled(S.FAILED, error=say, result={"code": later.code})


def keep_outcome(claimed: Claim, outcome: Done | NotYet, *, now: datetime) -> None:
    """Store what was seen: samples, and the gateway's facts for the pages."""
    if outcome.samples:
        Sample.objects.bulk_create(
            Sample(gateway=claimed.upgrade.gateway, slot=s.slot, release=s.release, at=now, values=dict(s.values))
            for s in outcome.samples
        )
    if outcome.facts:
        fleet.note_facts(claimed.upgrade.gateway, outcome.facts, now=now)


def job_of(claimed: Claim, *, clock: Clock, front: Traffic | None) -> Job:
    upgrade, rollout = claimed.upgrade, claimed.upgrade.wave.rollout
    release, plan = rollout.release, plans.plan_of(rollout)

    def progress(say: str, done: int, total: int) -> None:
        if not claims.renew(claimed, now=clock(), progress={"say": say, "done": done, "total": total}):
            raise LostRace(f"step {claimed.step.pk} is no longer ours")

    return Job(
        gateway=upgrade.gateway.name,
        release=release.name,
        version=release.version,
        digest=release.digest,
        from_release=upgrade.from_release,
        over=drifted.over(plan, upgrade.gateway_id),
        from_slot=upgrade.from_slot or 0,
        to_slot=upgrade.to_slot or 0,
        fence=claimed.fence,
        spec=plans.spec_of(rollout),
        args=claimed.step.args,
        kept=upgrade.kept or 0,
        before=tuple(upgrade.before),
        left=tuple(upgrade.left),
        trial_until=upgrade.trial_until,
        committed=claimed.step.name in flow.ASKS_COMMITTED and upgrade.steps.filter(name="commit").exists(),
        earlier=claimed.step.result,
        now=clock(),
        probe=probe_account(upgrade.gateway) if claimed.step.name in flow.LOGS_IN else ("", ""),
        files=lambda: files_of(release, upgrade.gateway, now=clock()),
        progress=progress,
        keep=keep_archive,
        config=config_of(rollout),
        way=upgrade.way,
        cut_at_most=upgrade.cut_at_most,
        drain_until=upgrade.drain_until,
        drain_extended=upgrade.drain_extended,
        cut=tuple((str(session), str(user)) for session, user in upgrade.cut),
        traffic=front,
        stored=StoredFor(rollout, upgrade.gateway, lambda: clock().timestamp()),
    )


def config_of(rollout: Rollout) -> Config | None:
    """The configuration that the plan takes along; its text is unsealed only by the step that brings it."""
    planned = plans.plan_of(rollout).get("config")
    if not planned:
        return None

    def text() -> tuple[str, Statement | None]:
        if rollout.config is None or rollout.config.sha256 != planned["sha256"]:
            raise GiveUp("The configuration of the plan is gone. Draft the rollout anew.", code="config_gone")
        try:
            return configs.bring(rollout.config)
        except Refused as no:
            raise GiveUp(no.say, code="config_refused")

    return Config(planned["number"], planned["sha256"], planned["way"], text)


def files_of(release: Release, gateway: GatewayRow, *, now: datetime) -> ReleaseFiles:
    """What the gateway is sent, or fetches if it calls in; a release that may no longer be sent stops the step."""
    try:
        return downloads.offered(releases.files(release, now=now), release, gateway, now=now)
    except Refused as no:
        raise GiveUp(no.say, code="release_refused")


def probe_account(gateway: GatewayRow) -> tuple[str, str]:
    """User and password of the gateway's probe account, or two empty texts."""
    secret = sealed.unseal_or_none(f"probe:{gateway.name}") or b""
    user, _, password = secret.decode().partition("\n")
    return user, password


def keep_archive(name: str, data: bytes) -> str:
    folder = Path(settings.SNAPSHOTS)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = folder / f"{name}.partial"
    partial.write_bytes(data)
    partial.rename(folder / name)
    return name
