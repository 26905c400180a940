"""From rows to the values that decide and gates think about. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from fleet.models import Gateway
from upgrader import later, plans
from upgrader.attributing import attributed
from upgrader.decide import NEEDS_ROLLBACK, WAVE_AT_WORK, RolloutSeen, UpgradeSeen, WaveSeen
from upgrader.flow import OUTGOING
from upgrader.gates import Judgement, judge
from upgrader.leads import observe_seconds
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.sides import MISSES_UNTIL_SILENT, evidence, is_silent
from upgrader.states import R, S, U, W
from upgrader.strategy import Spec

HERE = (*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED)
OF_GATEWAY = ("name", "group", "failure_domain", "state", "pool", "sessions")
SHORT = (
    *(column.name for column in Upgrade._meta.concrete_fields if column.name not in ("before", "left", "cut")),
    *(f"gateway__{name}" for name in OF_GATEWAY),
)
"""Columns that a look reads: to make whole rows of hundreds of gateways took most of its time."""


@dataclass(frozen=True)
class Looked:
    """One rollout as it stands: the values to decide on, and the rows to write to."""

    seen: RolloutSeen
    spec: Spec
    rollout: Rollout
    waves: dict[int, Wave]
    upgrades: dict[int, Upgrade]
    judgements: dict[int, Judgement]  # by wave, where one is under observation


@dataclass(frozen=True)
class Beside:
    """What else is known of the upgrades that were read, by their ids."""

    steps: dict[int, StepRun]  # open ones that say something: observe, shift, those asked again and again
    failed: dict[int, str]  # name of the step that said no
    taken: frozenset[int]  # ids of gateways that another rollout works on
    overtaken: frozenset[int]  # ids of gateways that a later rollout has taken since


def look(rollout_id: int, *, now: datetime, whole: bool = True) -> Looked:
    """Read one rollout in a fixed number of queries. Raise strategy.SpecError for a bad strategy.

    Not `whole`: in full only what is at work or needs something; of the rest how many are in which state.
    """
    rollout = Rollout.objects.select_related("release", "pool", "request").defer("plan").get(pk=rollout_id)
    spec = plans.spec_of(rollout)
    rollout.plan = plans.plan_of(rollout)  # else each look at it would read it anew
    waves = {wave.pk: wave for wave in rollout.waves.all()}
    at_work = [wave.pk for wave in waves.values() if wave.state in WAVE_AT_WORK]
    mine = Upgrade.objects.filter(wave__in=waves)
    near = Q() if whole else Q(wave__in=at_work) | Q(busy=True)
    upgrades = {upgrade.pk: upgrade for upgrade in mine.filter(near).select_related("gateway").only(*SHORT)}
    for upgrade in upgrades.values():
        upgrade.wave = waves[upgrade.wave_id]
    found = Found(rollout, spec, waves, by_wave(upgrades.values()), read_beside(rollout, upgrades))
    rest = {} if whole else counted(mine.exclude(near))
    judgements = judged(found, now)
    seen = RolloutSeen(
        state=R(rollout.state),
        reason=rollout.reason,
        answer=rollout.request.state if rollout.request else "",
        release=rollout.release.name,
        promote=spec.promote,
        at_once=spec.at_once,
        kind=spec.kind,
        between=direction(rollout),
        shares=spec.shares,
        on_fail=spec.on_fail,
        failures_max=spec.failures_max,
        promoted_to=rollout.promoted_to,
        waves=tuple(wave_seen(wave, found, judgements.get(wave.pk), rest) for wave in waves.values()),
        now=now,
    )
    return Looked(seen, spec, rollout, waves, upgrades, judgements)


@dataclass(frozen=True)
class Found:
    rollout: Rollout
    spec: Spec
    waves: dict[int, Wave]
    of: dict[int, list[Upgrade]]  # by wave
    beside: Beside


def by_wave(upgrades: Iterable[Upgrade]) -> dict[int, list[Upgrade]]:
    waves: dict[int, list[Upgrade]] = {}
    for upgrade in upgrades:
        waves.setdefault(upgrade.wave_id, []).append(upgrade)
    return waves


def read_beside(rollout: Rollout, upgrades: Mapping[int, Upgrade]) -> Beside:
    """What else is known of these upgrades, without asking for what none of them can have."""
    by_state: dict[U, list[Upgrade]] = {}
    for upgrade in upgrades.values():
        by_state.setdefault(U(upgrade.state), []).append(upgrade)
    at_work = [up.pk for state in (U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING) for up in by_state.get(state, ())]
    planned = [up.gateway_id for up in by_state.get(U.PLANNED, ())] if rollout.state == R.UPGRADING else []
    others = Upgrade.objects.filter(busy=True, gateway__in=planned).exclude(wave__rollout=rollout)
    failed = StepRun.objects.filter(upgrade__in=by_state.get(U.FAILED, ()), state=S.FAILED).order_by("ordinal")
    return Beside(
        steps=telling_steps(at_work),
        failed=dict(failed.values_list("upgrade_id", "name")) if U.FAILED in by_state else {},
        taken=frozenset(others.values_list("gateway_id", flat=True)) if planned else frozenset(),
        overtaken=overtaken(rollout, upgrades.values()) if rollout.state != R.UPGRADING else frozenset(),
    )


def telling_steps(upgrade_ids: list[int]) -> dict[int, StepRun]:
    """The open steps that say something of their upgrade: it is watched, it shifts, it was asked often."""
    if not upgrade_ids:
        return {}
    steps = StepRun.objects.filter(upgrade__in=upgrade_ids, state__in=[S.DUE, S.CLAIMED])
    telling = steps.filter(Q(name__in=["observe", "shift"]) | Q(attempts__gte=MISSES_UNTIL_SILENT))
    return {step.upgrade_id: step for step in telling}


def overtaken(rollout: Rollout, upgrades: Iterable[Upgrade]) -> frozenset[int]:
    """Ids of the gateways that a later rollout has taken since: what is on them is that one's to take back."""
    touched = [upgrade.gateway_id for upgrade in upgrades if U(upgrade.state) in NEEDS_ROLLBACK]
    if not touched:
        return frozenset()
    return frozenset(later.after(rollout, touched).values_list("gateway_id", flat=True))


def counted(upgrades: QuerySet[Upgrade]) -> dict[int, dict[U, int]]:
    """How many upgrades of each wave are in which state."""
    rest: dict[int, dict[U, int]] = {}
    rows = upgrades.order_by().values_list("wave_id", "state").annotate(number=Count("pk"))
    for wave_id, state, number in rows:
        rest.setdefault(wave_id, {})[U(state)] = number
    return rest


def judged(found: Found, now: datetime) -> dict[int, Judgement]:
    """The verdict so far of each wave that has gateways under observation."""
    verdicts = {}
    for wave in found.waves.values():
        if watched := under_observation(wave, found.of.get(wave.pk, [])):
            verdict = judge(evidence(found.rollout, watched, found.beside.steps), found.spec.limits)
            verdicts[wave.pk] = attributed(verdict, found.rollout, wave, now=now)
    return verdicts


def under_observation(wave: Wave, upgrades: Iterable[Upgrade]) -> list[Upgrade]:
    """Who is watched for this wave's verdict; once that is drawn, those who came later."""
    watched = [upgrade for upgrade in upgrades if upgrade.state == U.OBSERVING]
    match wave.state:
        case W.UPGRADING | W.OBSERVING | W.PASSED:
            return watched
        case W.COMMITTING:
            return [upgrade for upgrade in watched if upgrade.since > wave.since]
        case _:
            return []


def wave_seen(wave: Wave, found: Found, judgement: Judgement | None, rest: Mapping[int, Mapping[U, int]]) -> WaveSeen:
    return WaveSeen(
        id=wave.pk,
        number=wave.number,
        state=W(wave.state),
        stage=wave.stage,
        stages=len(wave.weights),
        since=wave.since,
        observe_seconds=observe_seconds(wave, found.spec),
        observe_until=wave.observe_until,
        verdict=judgement.outcome if judgement else None,
        verdict_reason=judgement.sentence if judgement else wave.reason,
        upgrades=tuple(upgrade_seen(upgrade, found) for upgrade in found.of.get(wave.pk, [])),
        rest=rest.get(wave.pk, {}),
    )


def upgrade_seen(upgrade: Upgrade, found: Found) -> UpgradeSeen:
    step = found.beside.steps.get(upgrade.pk)
    return UpgradeSeen(
        id=upgrade.pk,
        gateway=upgrade.gateway.name,
        state=U(upgrade.state),
        reason=upgrade.reason,
        failed_step=found.beside.failed.get(upgrade.pk, ""),
        since=upgrade.since,
        group=upgrade.gateway.group,
        gone=gone(upgrade, found.rollout) if upgrade.state == U.PLANNED else "",
        taken=upgrade.gateway_id in found.beside.taken,
        silent=is_silent(step),
        shifting=step is not None and step.name == "shift",
        old_trouble=str(step.result.get("old", "")) if step else "",
        outgoing=upgrade.way == OUTGOING,
        overtaken=upgrade.gateway_id in found.beside.overtaken,
    )


def gone(upgrade: Upgrade, rollout: Rollout) -> str:
    """Why a gateway that has not begun is left out, as a sentence; "" while it is one of its pool's."""
    gateway, pool = upgrade.gateway, (rollout.pool_id, rollout.pool.name)
    if upgrade.way == OUTGOING and (both := plans.between(rollout)):
        pool = (both["serves"]["id"], both["serves"]["name"])
    if gateway.state not in HERE:
        return f"{gateway.name} left the fleet before its turn."
    if gateway.pool_id != pool[0]:
        return f"{gateway.name} left the pool {pool[1]} before its turn."
    return ""


def direction(rollout: Rollout) -> str:
    """ "blue to green" where it switches between two pools."""
    both = plans.between(rollout)
    return f"{both['serves']['name']} to {both['idle']['name']}" if both else ""
