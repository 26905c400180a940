"""Reads one rollout as a page shows it, in a fixed number of queries, whatever its size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, IntegerField
from django.db.models.sql.compiler import SQLCompiler

from approvals.models import Request, User
from fleet.selectors import rights
from fleet.slots import SlotView, slot_views
from upgrader import questions
from upgrader.flow import OUTGOING
from upgrader.models import Rollout, StepRun, Upgrade, Verdict, Wave
from upgrader.picture import GatewayRow, Judged, Picture, Step, WaveRow
from upgrader.plan import downgrade_say
from upgrader.rights import ANSWERS, answers_for_another
from upgrader.states import ACTION_PERMISSION, Outcome, R, S, U, W
from upgrader.strategy import Drain

CLOSE_UP = 50  # gateways of one page that are read with their facts and steps
ACTION_CODENAME = {action: name.removeprefix("fleet.") for action, name in ACTION_PERMISSION.items()}


class JsonLength(Func):
    """Length of a JSON array, counted by the database so that thousands of session ids are not fetched."""

    arity = 1
    function = "json_array_length"
    output_field = IntegerField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, function="jsonb_array_length")


def picture(rollout: Rollout, user: User, *, now: datetime, close_up: int = 0) -> Picture:
    """Return everything that a page shows of one rollout, in a fixed number of queries.

    `close_up`: the number of the wave whose gateways are read in full; 0 is the one at work.
    """
    rows = _light_rows(rollout)
    waves = list(rollout.waves.all())
    near = _close_up(waves, rows, close_up)
    _read_close(rows, near)
    questions.read_drains(rows, now)
    verdicts = {v.wave_id: v for v in Verdict.objects.filter(wave__rollout=rollout).order_by("at", "final")}
    plan, request = rollout.plan, rollout.request
    spec = plan.get("spec", {})
    return Picture(
        id=rollout.pk,
        state=R(rollout.state),
        version=rollout.version,
        digest=rollout.digest,
        since=rollout.since,
        reason=rollout.reason,
        created_by=rollout.created_by.username,
        created_at=rollout.created_at,
        own=rollout.created_by_id == user.pk or (request is not None and request.requested_by_id == user.pk),
        may=_may(user, rollout),
        waves=_waves(rollout, waves, rows, verdicts),
        promote=str(spec.get("promote", "hand")),
        at_once=int(spec.get("at_once", 1)),
        **_rules(spec),
        **_what(rollout),
        reloads=(plan.get("config") or {}).get("way") == "reload",
        waits=rollout.waits,
        promoted_to=rollout.promoted_to,
        back=questions.back_asked(rollout, user),
        cut_asked=questions.cut_asked(rollout, user) if _drains(rows) else None,
        most_alone=questions.most_alone(rollout),
        downgrade=downgrade_say(plan),
        held_from=rollout.held_from,
        decide_until=request.expires_at if request and request.state == Request.State.OPEN else None,
        request_state=request.state if request else "",
    )


def _what(rollout: Rollout) -> dict[str, Any]:
    """What goes where: the release, and those that it replaces."""
    release, waves = rollout.release, rollout.plan.get("waves", [])
    both = rollout.plan.get("between")
    return {
        "between": tuple(both[role]["name"] for role in ("serves", "idle")) if both else (),
        "pool": rollout.pool.name,
        "strategy": rollout.strategy.title,
        "product": release.product,
        "release": release.name,
        "release_id": release.pk,
        "state_migration": release.state_migration,
        "from_releases": tuple(sorted({gateway["from"] for wave in waves for gateway in wave["gateways"]})),
    }


def _rules(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of the strategy. A plan of an older version lacks what it did not know."""
    drain: dict[str, Any] = {"deadline_hours": 24.0} | dict(spec.get("drain", {}))
    return {
        "kind": str(spec.get("kind", "canary")),
        "shares": str(spec.get("shares", "machine")),
        "failures_max": int(spec.get("failures_max", 0)),
        "drain": Drain(**{name: value for name, value in drain.items() if name in Drain.__dataclass_fields__}),
    }


def _drains(rows: Mapping[int, Mapping[str, Any]]) -> bool:
    return any(row["state"] == U.DRAINING for row in rows.values())


def _may(user: User, rollout: Rollout) -> frozenset[str]:
    held = rights(user, rollout.pool)
    own = frozenset(action for action, codename in ACTION_CODENAME.items() if codename in held)
    return own if own >= ANSWERS else own | answers_for_another(user, rollout.pool)


def _light_rows(rollout: Rollout) -> dict[int, dict[str, Any]]:
    """Every upgrade of the rollout with the few columns that sums need, by id."""
    rows = (
        Upgrade.objects.filter(wave__rollout=rollout)
        .order_by("wave__number", "gateway__name")
        .annotate(
            name=F("gateway__name"),
            sessions=F("gateway__sessions"),
            before_count=JsonLength("before"),
            left_count=JsonLength("left"),
            cut_count=JsonLength("cut"),
            number=F("wave__number"),
            to_release=F("wave__rollout__release__name"),
        )
        .values(
            *(
                "pk",
                "gateway_id",
                "name",
                "state",
                "since",
                "sessions",
                "before_count",
                "left_count",
                "cut_count",
                "kept",
            ),
            *("number", "wave_id", "to_release", "from_release", "from_slot", "to_slot"),
            *("way", "skip", "old_retired_at", "drain_until", "cut_at_most"),
        )
    )
    return {row["pk"]: row for row in rows}


def _close_up(waves: Iterable[Any], rows: Mapping[int, Mapping[str, Any]], number: int) -> list[int]:
    """Ids of the upgrades to read in full: all of a small rollout, else those of one wave, troubled ones first."""
    if len(rows) <= 12:
        return list(rows)
    if not number:
        at_work = [w.number for w in waves if w.state not in (W.PLANNED, W.PASSED, W.ROLLED_BACK)]
        number = at_work[0] if at_work else max((w.number for w in waves if w.state != W.PLANNED), default=1)
    mine = [row for row in rows.values() if row["number"] == number]
    mine.sort(key=lambda row: (row["state"] not in (U.FAILED, U.ROLLING_BACK), row["state"] == U.PLANNED, row["name"]))
    return [row["pk"] for row in mine[:CLOSE_UP]]


def _read_close(rows: dict[int, dict[str, Any]], near: list[int]) -> None:
    """Add the gateway's slots, the last step and the reasons to the rows in `near`."""
    upgrades = Upgrade.objects.filter(pk__in=near).select_related("gateway").defer("before", "cut")
    for upgrade in upgrades:
        slots = {slot.slot: slot for slot in slot_views(upgrade.gateway.facts or {})}
        old, new = slots.get(upgrade.from_slot or 0), slots.get(upgrade.to_slot or 0)
        if upgrade.from_slot == upgrade.to_slot:
            new = None  # one slot only is at work there
        rows[upgrade.pk] |= {
            "reason": upgrade.reason,
            "snapshot": bool(upgrade.snapshot),
            "old_sessions": old.sessions if old else (0 if new else upgrade.gateway.sessions),
            "new_sessions": new.sessions if new else 0,
            "new_weight": new.weight if new else 0,
            "third": _third(slots.values(), upgrade),
        }
    for step in StepRun.objects.filter(upgrade__in=near).order_by("ordinal").iterator(chunk_size=500):
        rows[step.upgrade_id] |= questions.counted(step.result) if step.name == "drain" else {}
        rows[step.upgrade_id]["step"] = Step(
            name=step.name,
            state=S(step.state),
            say=str(step.progress.get("say", "")),
            done=int(step.progress.get("done") or 0),
            total=int(step.progress.get("total") or 0),
            attempts=step.attempts,
            error=step.error,
            due_at=step.due_at,
        )


def _third(slots: Iterable[SlotView], upgrade: Upgrade) -> tuple[str, int] | None:
    """A slot that drains from a rollout before this one: its release and its users."""
    ours = (upgrade.from_slot, upgrade.to_slot)
    other = [slot for slot in slots if slot.slot not in ours and slot.release and slot.state != "idle"]
    return (other[0].release, other[0].sessions) if other and upgrade.to_slot else None


def _gateway(row: Mapping[str, Any]) -> GatewayRow:
    slots = ("reason", "snapshot", "old_sessions", "new_sessions", "new_weight", "step", "third")
    extra = (*slots, "drain_left", "drain_oldest", "drain_idle", "pool")
    return GatewayRow(
        id=row["pk"],
        gateway_id=row["gateway_id"],
        name=row["name"],
        state=U(row["state"]),
        since=row["since"],
        sessions=row["sessions"],
        from_release=row["from_release"],
        to_release=row["to_release"],
        from_slot=row["from_slot"],
        to_slot=row["to_slot"],
        before=(row["before_count"] or 0) - (row["left_count"] or 0),
        left=row["left_count"] or 0,
        kept=row["kept"],
        cut=row["cut_count"] or 0,
        close=bool("old_sessions" in row),
        gone=row["old_retired_at"] is not None,
        **{name: row[name] for name in ("way", "skip", "drain_until", "cut_at_most")},
        **{name: row[name] for name in extra if name in row},
    )


def _waves(
    rollout: Rollout, waves: Iterable[Any], rows: Mapping[int, dict[str, Any]], verdicts: Mapping[int, Verdict]
) -> tuple[WaveRow, ...]:
    """The waves with their gateways; a rollout that has no rows yet shows its plan instead."""
    planned = {wave["number"]: wave for wave in rollout.plan.get("waves", [])}
    of_wave: dict[int, list[GatewayRow]] = {}
    both = rollout.plan.get("between")
    for row in rows.values():
        if both:
            row["pool"] = both["serves" if row["way"] == OUTGOING else "idle"]["name"]
        of_wave.setdefault(row["wave_id"], []).append(_gateway(row))
    return tuple(
        WaveRow(
            id=wave.pk,
            number=wave.number,
            title=str(planned.get(wave.number, {}).get("title", "")),
            state=W(wave.state),
            since=wave.since,
            weights=tuple(wave.weights),
            stage=wave.stage,
            gateways=tuple(of_wave.get(wave.pk, ())),
            planned_sessions=sum(g["sessions"] for g in planned.get(wave.number, {}).get("gateways", [])),
            observe_until=wave.observe_until,
            observe_seconds=_watched_for(wave, rollout),
            verdict=_judged(verdicts.get(wave.pk)),
            reason=wave.reason,
        )
        for wave in waves
    )


def _watched_for(wave: Wave, rollout: Rollout) -> int:
    """Seconds that each share of the wave is observed: its own rule, or the strategy's."""
    own = wave.observe_seconds
    return int(rollout.plan.get("spec", {}).get("observe_seconds", 0)) if own is None else own


def _judged(row: Verdict | None) -> Judged | None:
    return Judged(Outcome(row.outcome), row.sentence, row.at, row.final) if row else None
