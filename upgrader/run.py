"""Run one step: claim its row, do the work outside of any transaction, settle the row."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.conf import settings

from approvals.errors import Refused
from fleet import sealed
from fleet import services as fleet
from fleet.errors import GiveUp, RetryLater
from fleet.models import Gateway as GatewayRow
from fleet.models import Sample
from fleet.ports import Gateway, ReleaseFiles, Statement
from releases import configs, downloads
from releases import services as releases
from releases.models import Release
from upgrader import advice, alive, approval, drifted, flow, journal
from upgrader.journal import Claim, LostRace, Settled
from upgrader.models import Rollout, StepRun
from upgrader.states import R, S
from upgrader.steps.job import Config, Done, Job, NotYet
from upgrader.steps.table import STEPS
from upgrader.strategy import parse_spec

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]
Opener = Callable[[GatewayRow], Gateway]


def run_step(step_id: int, *, opener: Opener, clock: Clock) -> list[StepRun]:
    """Run one step if it is due; return the step that follows, if one does. Safe to call any number of times."""
    if not may_begin(step_id, now=clock()):
        return []
    claimed = journal.claim(step_id, owner=alive.owner(), now=clock())
    if claimed is None:
        return []
    settled, outcome = attempt(claimed, opener=opener, clock=clock)
    try:
        if outcome is not None:
            keep_outcome(claimed, outcome, now=clock())
        follows = journal.settle(claimed, settled, now=clock())
    except LostRace as lost:
        log.info("%s", lost)
        return []
    return [follows] if follows else []


def may_begin(step_id: int, *, now: datetime) -> bool:
    """Whether the step may begin: not on hold, and its release not withdrawn since. The second holds the rollout."""
    rows = StepRun.objects.select_related("upgrade__wave__rollout__release", "upgrade__wave__rollout__pool")
    step = rows.filter(pk=step_id, state__in=[S.DUE, S.CLAIMED]).first()
    if step is None:
        return False
    rollout = step.upgrade.wave.rollout
    if rollout.state == R.HELD and step.name not in flow.RUNS_WHILE_HELD:
        return False
    return step.name not in flow.USES_RELEASE or not approval.hold_if_unusable(rollout, now=now)


def attempt(claimed: Claim, *, opener: Opener, clock: Clock) -> tuple[Settled, Done | NotYet | None]:
    """Do the step's work. Two failures are expected; anything else is a bug that is recorded and seen."""
    name = claimed.step.name
    try:
        gateway = opener(claimed.upgrade.gateway)
        try:
            outcome = STEPS[name](job_of(claimed, clock=clock), gateway)
        finally:
            gateway.close()
    except RetryLater as later:
        return no_answer(claimed, later), None
    except GiveUp as no:
        if no.code == "fence_too_low":
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
    Sample.objects.bulk_create(
        Sample(gateway=claimed.upgrade.gateway, slot=s.slot, release=s.release, at=now, values=dict(s.values))
        for s in outcome.samples
    )
    if outcome.facts:
        fleet.note_facts(claimed.upgrade.gateway, outcome.facts, now=now)


def job_of(claimed: Claim, *, clock: Clock) -> Job:
    upgrade = claimed.upgrade
    rollout = upgrade.wave.rollout
    release = rollout.release

    def progress(say: str, done: int, total: int) -> None:
        if not journal.renew(claimed, now=clock(), progress={"say": say, "done": done, "total": total}):
            raise LostRace(f"step {claimed.step.pk} is no longer ours")

    return Job(
        gateway=upgrade.gateway.name,
        release=release.name,
        version=release.version,
        digest=release.digest,
        from_release=upgrade.from_release,
        over=drifted.over(rollout.plan, upgrade.gateway_id),
        from_slot=upgrade.from_slot or 0,
        to_slot=upgrade.to_slot or 0,
        fence=claimed.fence,
        spec=parse_spec(rollout.plan["spec"]),
        args=claimed.step.args,
        kept=upgrade.kept or 0,
        before=tuple(upgrade.before),
        left=tuple(upgrade.left),
        trial_until=upgrade.trial_until,
        committed=upgrade.steps.filter(name="commit").exists(),
        earlier=claimed.step.result,
        now=clock(),
        probe=probe_account(upgrade.gateway),
        files=lambda: files_of(release, upgrade.gateway, now=clock()),
        progress=progress,
        keep=keep_archive,
        config=config_of(rollout),
    )


def config_of(rollout: Rollout) -> Config | None:
    """The configuration that the plan takes along; its text is unsealed only by the step that brings it."""
    planned = rollout.plan.get("config")

    def text() -> tuple[str, Statement | None]:
        if rollout.config is None or rollout.config.sha256 != planned["sha256"]:
            raise GiveUp("The configuration of the plan is gone. Draft the rollout anew.", code="config_gone")
        try:
            return configs.bring(rollout.config)
        except Refused as no:
            raise GiveUp(no.say, code="config_refused")

    return Config(planned["number"], planned["sha256"], planned["way"], text) if planned else None


def files_of(release: Release, gateway: GatewayRow, *, now: datetime) -> ReleaseFiles:
    """What the gateway is sent, or fetches if it calls in; a release that may no longer be sent stops the step."""
    try:
        return downloads.offered(releases.files(release, now=now), release, gateway, now=now)
    except Refused as no:
        raise GiveUp(no.say, code="release_refused")


def probe_account(gateway: GatewayRow) -> tuple[str, str]:
    """User and password of the gateway's probe account, or two empty texts."""
    secret = sealed.unseal_or_none(f"probe:{gateway.name}")
    if secret is None:
        return "", ""
    user, _, password = secret.decode().partition("\n")
    return user, password


def keep_archive(name: str, data: bytes) -> str:
    folder = Path(settings.SNAPSHOTS)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = folder / f"{name}.partial"
    partial.write_bytes(data)
    partial.rename(folder / name)
    return name
