"""A step from due to its end: claimed by lease, fenced, settled once. With journal.py the only writer of state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from django.db import connection, transaction

from approvals import audit, names, sql
from fleet import orders
from releases.models import Release
from upgrader import flow, live
from upgrader.journal import MACHINE, Change, IllegalMove, LostRace, legal, open_step, subject, write
from upgrader.leads import leads
from upgrader.models import StepRun, Upgrade
from upgrader.states import STEP_MOVES, UPGRADE_IDLE, R, S, U

OTHERS_WRITE = (
    *("state", "version", "skip", "drain_until", "drain_extended", "cut_at_most", "cut_request_id"),
    *("gateway__state", "wave__state", "wave__stage", "wave__rollout__state", "wave__rollout__version"),
    "wave__rollout__release__state",
)
"""Columns of an upgrade and around it that are written while a step runs, by somebody else than its worker."""
WRITTEN = sql.Read(lambda: Upgrade.objects.all(), OTHERS_WRITE)
ASK_AGAIN = 30.0  # seconds
RELEASE_TEXTS = ("manifest", "sums", "changelog", "provenance", "contents")


@dataclass(frozen=True)
class Claim:
    """A step that is ours until the lease ends; `fence` proves it to the gateway."""

    step: StepRun
    upgrade: Upgrade
    fence: int
    attempts: int
    ordered: bool  # the gateway is known not to be ahead of this database

    @property
    def about(self) -> dict[str, str | int]:
        """What its lines in the log say they are about."""
        upgrade = self.upgrade
        return {"rollout": upgrade.wave.rollout_id, "gateway": upgrade.gateway.name, "step": self.step.name}


def found(step_id: int) -> StepRun | None:
    """An open step with the rows around it; what is long and rarely needed comes when it is asked for."""
    way = "upgrade__wave__rollout"
    long = ("upgrade__gateway__facts", "upgrade__gateway__inventory", f"{way}__plan")
    texts = (f"{way}__release__{name}" for name in RELEASE_TEXTS)
    around = ("upgrade__gateway", f"{way}__release", f"{way}__pool")
    rows = StepRun.objects.select_related(*around).defer(*long, *texts)
    return rows.filter(pk=step_id, state__in=[S.DUE, S.CLAIMED]).first()


def claim(step_id: int, *, owner: str, now: datetime, seen: StepRun | None = None) -> Claim | None:
    """Take a due step, or one whose owner went silent. None: it is not due, or somebody else has it.

    `seen`: the step as `found` has just returned it.
    """
    step = seen or found(step_id)
    if step is None or not (step.due_at if step.state == S.DUE else step.lease_until or now) <= now:
        return None
    upgrade = step.upgrade
    # The guard stands on the row's own columns: a join would let two workers win. Each claim counts attempts up.
    guard = {"id": step.pk, "state": step.state, "attempts": step.attempts, "fence": step.fence}
    if step.state == S.CLAIMED:
        guard["lease_until"] = step.lease_until
    began = step.started_at or now
    mine = {"state": S.CLAIMED, "owner": owner, "started_at": began}
    with transaction.atomic():
        if sql.update(StepRun, guard, mine, one_more=("attempts",)) != 1:
            return None
        freshen(upgrade)
        ordered = orders.known(upgrade.gateway_id, now)
        step.fence, step.lease_until = orders.draw(upgrade.gateway_id, ordered=ordered), lease(step.name, now)
        sql.update(StepRun, {"id": step.pk}, {"fence": step.fence, "lease_until": step.lease_until})
    step.state, step.owner, step.attempts, step.started_at = S.CLAIMED, owner, step.attempts + 1, began
    return Claim(step=step, upgrade=upgrade, fence=step.fence, attempts=step.attempts, ordered=ordered)


def locked(upgrade: Upgrade) -> None:
    """Bring what others may have written meanwhile, and keep the row until the transaction ends."""
    if connection.features.has_select_for_update:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM upgrader_upgrade WHERE id = %s FOR UPDATE", [upgrade.pk])
    freshen(upgrade)


def behind(upgrade: Upgrade, state: str) -> set[str]:
    """Which of these two states upgrades of its wave are in that go the same way: planned, and `state`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT state FROM upgrader_upgrade WHERE wave_id = %s AND way = %s AND state IN (%s, %s)",
            [upgrade.wave_id, upgrade.way, str(U.PLANNED), state],
        )
        return {row[0] for row in cursor.fetchall()}


def freshen(upgrade: Upgrade) -> None:
    """Bring what others may have written; to build the whole of it anew costs more than the rest of a settled step."""
    for path, value in zip(OTHERS_WRITE, WRITTEN.get(upgrade.pk), strict=True):
        *way, name = path.split("__")
        setattr(reduce(getattr, way, upgrade), name, value)


def lease(step: str, now: datetime) -> datetime:
    return now + timedelta(seconds=flow.LEASE_SECONDS.get(step, flow.LEASE_DEFAULT))


def renew(claimed: Claim, *, now: datetime, progress: Mapping[str, Any]) -> bool:
    """Prolong the lease and show progress. False: the step is no longer ours."""
    values = {"lease_until": lease(claimed.step.name, now), "progress": dict(progress)}
    kept = sql.update(StepRun, ours(claimed), values) == 1
    if kept:
        with transaction.atomic():
            live.publish(f"rollout:{claimed.upgrade.wave.rollout_id}")
    return kept


@dataclass(frozen=True)
class Settled:
    """How a run of a step ended. `wait` is the seconds until it is due again when `to` is DUE."""

    to: S
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    wait: float = 0.0
    columns: Mapping[str, Any] = field(default_factory=dict)  # of the upgrade; never its state


def ours(claimed: Claim) -> dict[str, Any]:
    """The step while nobody else claimed it."""
    return {"id": claimed.step.pk, "state": S.CLAIMED, "fence": claimed.fence}


def end_of(settled: Settled, now: datetime) -> dict[str, Any]:
    """The step's columns when a run of it has ended."""
    return {
        "state": settled.to,
        "result": dict(settled.result),
        "error": settled.error,
        "progress": {},
        "due_at": now + timedelta(seconds=settled.wait),
        "finished_at": None if settled.to == S.DUE else now,
    }


def settle(
    claimed: Claim,
    settled: Settled,
    *,
    now: datetime,
    go_on: GoOn | None = None,
    keep: Callable[[], None] = lambda: None,
) -> StepRun | None:
    """Write the end of a run and what follows from it; return the step that follows.

    With `go_on` the step that follows is claimed in the same transaction where `go_on` lets it; see `going_on`. `keep`
    writes what the run saw, in it too and before that. Raise LostRace when the lease was lost: the work is then
    somebody else's to report.
    """
    step = claimed.step
    if settled.to not in STEP_MOVES[S.CLAIMED]:
        raise IllegalMove(f"step {step.pk}: claimed -> {settled.to}")
    with transaction.atomic():
        # The upgrade before its steps, as `move` takes them: the other way round is a deadlock on PostgreSQL.
        upgrade = claimed.upgrade
        locked(upgrade)
        settled = without_names(patient(upgrade, settled), now)
        # Our fence is on the row only while nobody else claimed it.
        if sql.update(StepRun, ours(claimed), end_of(settled, now)) != 1:
            raise LostRace(f"step {step.pk} is no longer ours")
        keep()
        if settled.columns:
            sql.update(Upgrade, {"id": upgrade.pk}, settled.columns)
            for name, value in settled.columns.items():
                setattr(upgrade, name, value)
        follows = None
        if settled.to in (S.DONE, S.FAILED):
            follows = follow(claimed, settled, now=now, go_on=go_on)
            record(claimed, settled, now=now)
        live.publish(f"rollout:{upgrade.wave.rollout_id}")
    return follows


def without_names(settled: Settled, now: datetime) -> Settled:
    """Who was cut, by pseudonyms: what a step leaves behind is kept for ever, and names are not."""
    columns, result = dict(settled.columns), dict(settled.result)
    for said in (columns, result):
        if said.get("cut"):
            said["cut"] = names.hidden(said["cut"], now=now)
    return replace(settled, columns=columns, result=result)


def patient(upgrade: Upgrade, settled: Settled) -> Settled:
    """A drain that says no is asked again while another rollout works on its gateway: one of them is at work there. So
    is one of an upgrade that has ended: nobody would retry it, and the slot that it is to retire would run for ever.
    """
    if settled.to != S.FAILED or upgrade.state not in UPGRADE_IDLE:
        return settled
    others = Upgrade.objects.filter(gateway=upgrade.gateway_id, busy=True).exclude(pk=upgrade.pk)
    again = not legal(upgrade, U.FAILED) or others.exists()
    return replace(settled, to=S.DUE, wait=ASK_AGAIN) if again else settled


@dataclass(frozen=True)
class GoOn:
    """Who settles a step wants to go on with the next one, if its name is among `steps`."""

    owner: str
    steps: frozenset[str]

    def claim(self, step: str, upgrade: Upgrade, now: datetime) -> dict[str, Any]:
        """The columns of a claim for a step that is about to be opened; none where it is left for a claim of its own.

        As for any claim: nothing begins on hold, nor with a release that was withdrawn, and the fence is drawn anew.
        A gateway that must be asked first whether it is ahead of this database has a claim of its own.
        """
        rollout = upgrade.wave.rollout
        held = rollout.state == R.HELD and step not in flow.RUNS_WHILE_HELD
        withdrawn = rollout.release.state != Release.State.READY and step in flow.USES_RELEASE
        if step not in self.steps or held or withdrawn or not orders.known(upgrade.gateway_id, now):
            return {}
        due = {"state": S.CLAIMED, "owner": self.owner, "attempts": 1, "started_at": now}
        return {**due, "lease_until": lease(step, now), "fence": orders.draw(upgrade.gateway_id, ordered=True)}


def going_on(step: StepRun | None) -> Claim | None:
    """The claim of the step that `settle` returned, if it took it."""
    if step is None or step.state != S.CLAIMED:
        return None
    return Claim(step=step, upgrade=step.upgrade, fence=step.fence, attempts=step.attempts, ordered=True)


def follow(claimed: Claim, settled: Settled, *, now: datetime, go_on: GoOn | None) -> StepRun | None:
    """Move the upgrade where the settled step leads, and open the next step."""
    upgrade = claimed.upgrade
    if settled.to == S.FAILED:
        if legal(upgrade, U.FAILED):
            write(Change(upgrade, U.FAILED, settled.error), now)
        return None
    lead = leads(upgrade, claimed.step.name, now=now)
    if lead.state is not None:
        write(Change(upgrade, lead.state, str(settled.result.get("say", "")), columns=lead.columns), now)
        known = {**lead.columns, "state": lead.state, "version": upgrade.version + 1, "since": now}
        for name, value in known.items():
            setattr(upgrade, name, value)
    if not lead.step:
        return None
    taken = go_on.claim(lead.step, upgrade, now) if go_on else {}
    # The step that was settled was the open one, and there is one at a time: its number is the highest.
    return open_step(upgrade, lead.step, lead.args, now, ordinal=claimed.step.ordinal + 1, taken=taken)


def record(claimed: Claim, settled: Settled, *, now: datetime) -> None:
    audit.append(
        f"step.{settled.to}",
        subject=subject(claimed.upgrade),
        actor=MACHINE,
        at=now,
        reason=settled.error or str(settled.result.get("say", "")),
        details={
            "rollout": claimed.upgrade.wave.rollout_id,
            "gateway": claimed.upgrade.gateway.name,
            "step": claimed.step.name,
            "fence": claimed.fence,
            "attempts": claimed.attempts,
            **({"cut": settled.columns["cut"]} if settled.columns.get("cut") else {}),
        },
    )
