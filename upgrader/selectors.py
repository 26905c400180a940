"""What pages and the API read of rollouts. Reads only; every list is bounded by what the viewer may see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, F, Func, IntegerField, Q, QuerySet, Sum
from django.db.models.sql.compiler import SQLCompiler
from django.http import Http404

from approvals.models import AuditEvent, Request, User
from fleet.models import Gateway
from fleet.selectors import pools_with, rights, visible_pools
from fleet.slots import slot_views
from upgrader.models import Rollout, StepRun, Upgrade, Verdict
from upgrader.picture import GatewayRow, Judged, Picture, Step, WaveRow
from upgrader.plan import downgrade_say
from upgrader.states import ACTION_PERMISSION, ROLLOUT_OVER, Outcome, R, S, U, W

CLOSE_UP = 50  # gateways of one page that are read with their facts and steps
NEEDS_ME = 50

ACTION_CODENAME = {action: name.removeprefix("fleet.") for action, name in ACTION_PERMISSION.items()}


class JsonLength(Func):
    """Length of a JSON array, counted by the database so that thousands of session ids are not fetched."""

    arity = 1
    function = "json_array_length"
    output_field = IntegerField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, function="jsonb_array_length")


def rollouts_for(user: User) -> QuerySet[Rollout]:
    """Rollouts on pools that the user may look at, newest first, without their plans."""
    rows = Rollout.objects.filter(pool__in=visible_pools(user)).defer("plan")
    return rows.select_related("release", "pool", "created_by", "strategy")


def rollout_for(user: User, rollout_id: int) -> Rollout:
    """Return one rollout that the user may look at, else raise Http404: he learns nothing about others."""
    rows = Rollout.objects.filter(pool__in=visible_pools(user))
    rollout = rows.select_related("release", "pool", "created_by", "strategy", "request").filter(pk=rollout_id).first()
    if rollout is None:
        raise Http404(f"There is no rollout {rollout_id}, or you may not see its pool.")
    return rollout


def needs_me(user: User) -> QuerySet[Rollout]:
    """Rollouts that wait for this person: to approve (not his own), to promote, or to help."""
    approve = Q(state=R.WAITING_APPROVAL, pool__in=pools_with(user, "approve_rollout")) & ~Q(created_by=user)
    promote = Q(state=R.WAITING_PROMOTION, pool__in=pools_with(user, "promote_rollout"))
    stuck = Q(state__in=[R.HELD, R.FAILED]) & (
        Q(pool__in=pools_with(user, "hold_rollout")) | Q(pool__in=pools_with(user, "rollback_rollout"))
    )
    own = Q(state=R.PLANNED, created_by=user)
    return rollouts_for(user).filter(approve | promote | stuck | own)


def running(user: User) -> QuerySet[Rollout]:
    """Rollouts that are not over and not merely planned."""
    return rollouts_for(user).exclude(state__in=[*ROLLOUT_OVER, R.PLANNED])


def picture(rollout: Rollout, user: User, *, close_up: int = 0) -> Picture:
    """Return everything that a page shows of one rollout, in a fixed number of queries.

    `close_up`: the number of the wave whose gateways are read in full; 0 is the one at work.
    """
    rows = _light_rows(rollout)
    waves = list(rollout.waves.all())
    near = _close_up(waves, rows, close_up)
    _read_close(rows, near)
    verdicts = {v.wave_id: v for v in Verdict.objects.filter(wave__rollout=rollout).order_by("at", "final")}
    plan, request = rollout.plan, rollout.request
    spec = plan.get("spec", {})
    planned = {wave["number"]: wave for wave in plan.get("waves", [])}
    return Picture(
        id=rollout.pk,
        state=R(rollout.state),
        version=rollout.version,
        digest=rollout.digest,
        since=rollout.since,
        reason=rollout.reason,
        product=rollout.release.product,
        release=rollout.release.name,
        release_id=rollout.release_id,
        from_releases=tuple(sorted({g["from"] for wave in planned.values() for g in wave["gateways"]})),
        pool=rollout.pool.name,
        strategy=rollout.strategy.title,
        created_by=rollout.created_by.username,
        created_at=rollout.created_at,
        own=rollout.created_by_id == user.pk or (request is not None and request.requested_by_id == user.pk),
        may=_may(user, rollout),
        waves=_waves(rollout, waves, rows, verdicts),
        promote=str(spec.get("promote", "hand")),
        at_once=int(spec.get("at_once", 1)),
        drain_hours=float(spec.get("drain", {}).get("deadline_hours", 24)),
        state_migration=rollout.release.state_migration,
        downgrade=downgrade_say(plan),
        held_from=rollout.held_from,
        decide_until=request.expires_at if request and request.state == Request.State.OPEN else None,
        request_state=request.state if request else "",
    )


def _may(user: User, rollout: Rollout) -> frozenset[str]:
    held = rights(user, rollout.pool)
    return frozenset(action for action, codename in ACTION_CODENAME.items() if codename in held)


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
        rows[upgrade.pk] |= {
            "reason": upgrade.reason,
            "snapshot": bool(upgrade.snapshot),
            "old_sessions": old.sessions if old else (0 if new else upgrade.gateway.sessions),
            "new_sessions": new.sessions if new else 0,
            "new_weight": new.weight if new else 0,
        }
    for step in StepRun.objects.filter(upgrade__in=near).order_by("ordinal").iterator(chunk_size=500):
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


def _gateway(row: Mapping[str, Any]) -> GatewayRow:
    extra = ("reason", "snapshot", "old_sessions", "new_sessions", "new_weight", "step")
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
        **{name: row[name] for name in extra if name in row},
    )


def _waves(
    rollout: Rollout, waves: Iterable[Any], rows: Mapping[int, Mapping[str, Any]], verdicts: Mapping[int, Verdict]
) -> tuple[WaveRow, ...]:
    """The waves with their gateways; a rollout that has no rows yet shows its plan instead."""
    planned = {wave["number"]: wave for wave in rollout.plan.get("waves", [])}
    of_wave: dict[int, list[GatewayRow]] = {}
    for row in rows.values():
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
            verdict=_judged(verdicts.get(wave.pk)),
            reason=wave.reason,
        )
        for wave in waves
    )


def _judged(row: Verdict | None) -> Judged | None:
    return Judged(Outcome(row.outcome), row.sentence, row.at, row.final) if row else None


def happened(rollout: Rollout, seen: Picture, most: int = 40) -> list[AuditEvent]:
    """The newest events of a rollout, its waves and the gateways that were read in full, newest first."""
    subjects = [f"rollout:{rollout.pk}", *(f"wave:{wave.id}" for wave in seen.waves)]
    subjects += [f"upgrade:{row.id}" for row in seen.gateways if row.close]
    return list(AuditEvent.objects.filter(subject__in=subjects).order_by("-seq")[:most])


def last_move(rollout: Rollout) -> AuditEvent | None:
    """The newest event of the rollout itself."""
    return AuditEvent.objects.filter(subject=f"rollout:{rollout.pk}").order_by("-seq").first()


def recent(user: User) -> QuerySet[Rollout]:
    """Rollouts that are over, the newest first."""
    return rollouts_for(user).filter(state__in=ROLLOUT_OVER).order_by("-since")


def fleet_summary(user: User) -> list[dict[str, Any]]:
    """Each pool that the user may see: gateways, users on them, which release how often, how many are in trouble."""
    here = (*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED)
    gateways = Gateway.objects.filter(pool__in=visible_pools(user), state__in=here)
    trouble = Count("pk", filter=~Q(state=Gateway.State.ENROLLED))
    pools = gateways.values("pool", "pool__name").annotate(number=Count("pk"), users=Sum("sessions"), trouble=trouble)
    mix: dict[int, list[tuple[str, int]]] = {}
    counted = gateways.values_list("pool", "release").annotate(number=Count("pk")).order_by("-number")
    for pool, release, number in counted:
        mix.setdefault(pool, []).append((release or "unknown", number))
    return [{**pool, "mix": mix.get(pool["pool"], [])} for pool in pools.order_by("pool__name")]
