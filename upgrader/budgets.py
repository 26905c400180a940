"""The budgets against the rows: what is out now, and whether more may be. The fleet's row is the lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q

from approvals.errors import Refused
from fleet import idle
from fleet.models import Gateway, Pool
from fleet.phrases import count, listed
from upgrader.budget import Limit, Tally, Use, What, by_gateway, mates, room, sessions_say, share_of
from upgrader.flow import INCOMING, OUTGOING
from upgrader.models import Budget, StepRun, Upgrade, Wave
from upgrader.states import S, U
from upgrader.strategy import MaxOut, parse_spec

NONE = "The fleet has no budget, so nothing may begin. Set one on the page Bounds."
COUNTED = (Gateway.State.ENROLLED, Gateway.State.UNREACHABLE, Gateway.State.QUARANTINED)
COLUMNS = ("pk", "name", "pool", "sessions", "group")
DOWN = (Gateway.State.UNREACHABLE, Gateway.State.QUARANTINED)
NOT_YET = (U.UPGRADING, U.FAILED, U.ROLLING_BACK)
"""States in which a gateway of an idle pool takes nobody: it was in nobody's way before, and is not out now."""


class NoRoom(Refused):
    """A budget would be exceeded. `fits`: so many of the upgrades, in their order, may begin."""

    def __init__(self, say: str, *, fits: int = 0) -> None:
        super().__init__(say)
        self.fits = fits


def demand(upgrades: Sequence[Upgrade], *, now: datetime) -> None:
    """Raise NoRoom unless these upgrades may begin together. Inside the transaction that begins them: the fleet's row
    stays locked until it ends, so that two workers never take the same room.

    Only those that are planned need room; what is at work already holds what it holds.
    """
    beginning = [upgrade for upgrade in upgrades if upgrade.state == U.PLANNED]
    if not beginning:
        return
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("budgets.demand belongs in the transaction that begins the work")
    waves = {upgrade.wave_id for upgrade in beginning}
    found = Wave.objects.filter(pk__in=waves).order_by().values_list("pk", "rollout", "rollout__plan__spec")
    rollouts = {wave: (rollout, spec) for wave, rollout, spec in found}
    wanted = _wanted(beginning, {wave: rollout for wave, (rollout, _) in rollouts.items()})
    limits = [*standing({use.pool for use in wanted}, lock=True), *_own(dict(rollouts.values()))]
    if not limits and not any(use.group for use in wanted):
        return
    there = room(limits, uses(but=[upgrade.pk for upgrade in beginning]), wanted)
    if there.say:
        raise NoRoom(there.say, fits=there.fits)


def standing(pools: Iterable[int], *, lock: bool = False) -> list[Limit]:
    """What the budgets of the fleet and of these pools allow; without those that allow everything."""
    asked = Budget.objects.filter(Q(pool=None) | Q(pool__in=list(pools))).order_by("pk")
    rows = list(asked.select_for_update() if lock else asked)
    if not any(row.pool_id is None for row in rows):
        raise NoRoom(NONE)
    return _limits([row for row in rows if row.gateways_percent < 100 or row.sessions is not None])


def used() -> dict[int | None, Tally]:
    """Every budget with what counts against it now, by pool; None is the fleet's."""
    known = by_gateway(uses()).values()
    limits = _limits(list(Budget.objects.all()))
    return {limit.pool: Tally(limit, [use for use in known if limit.counts(use)]) for limit in limits}


def _limits(rows: Sequence[Budget]) -> list[Limit]:
    counted = Gateway.objects.filter(state__in=COUNTED) if rows else Gateway.objects.none()
    totals = dict(counted.order_by().values_list("pool").annotate(Count("pk")))
    names = dict(Pool.objects.filter(pk__in=[row.pool_id for row in rows if row.pool_id]).values_list("pk", "name"))
    return [limit_of(row, totals, names) for row in rows]


def would_never_fit(plan: Mapping[str, Any]) -> str:
    """Why this plan could never run to its end within the budgets as they are; "" when it could.

    A wave is under observation as a whole, so the sessions of all its gateways are at risk together.
    """
    spec = parse_spec(plan["spec"])
    pool = Pool.objects.get(name=plan["pool"])
    try:
        limits = [*standing([pool.pk]), Limit(whose="of one rollout", sessions=spec.max_out.sessions)]
    except NoRoom as none:
        return none.say
    for wave in plan["waves"]:
        touched = [it for it in wave["gateways"] if it.get("way") != OUTGOING]
        members = [Use(it["id"], it["name"], pool.pk, it["sessions"], it.get("group", "")) for it in touched]
        if why := _too_many(wave["number"], members, limits):
            return why
        if spec.kind == "blue_green" and not spec.between and (pair := mates(members)):
            return (
                f"{listed([use.name for use in pair])} are of the group {pair[0].group} and would shift together."
                " Two of a group are never at work at the same time: give the pool another strategy."
            )
    return ""


def _too_many(number: int, members: Sequence[Use], limits: Sequence[Limit]) -> str:
    at_risk = sum(use.sessions for use in members)
    limit = next((it for it in limits if it.sessions is not None and at_risk > it.sessions), None)
    if limit is None:
        return ""
    return (
        f"Wave {number} would put {count(at_risk, 'session')} at risk together, and {sessions_say(limit)}."
        " Make its waves smaller, or ask for a larger budget."
    )


def limit_of(row: Budget, totals: Mapping[int, int], names: Mapping[int, str]) -> Limit:
    total = sum(totals.values()) if row.pool_id is None else totals.get(row.pool_id, 0)
    return Limit(
        whose=f"of {names[row.pool_id]}" if row.pool_id else "of the fleet",
        gateways=share_of(row.gateways_percent, total),
        total=total,
        percent=row.gateways_percent,
        sessions=row.sessions,
        pool=row.pool_id,
    )


def uses(*, but: Collection[int] = ()) -> list[Use]:
    """Every gateway that is out or at risk now, without the upgrades `but`; one that is both is there twice."""
    at_work = list(_at_work(but))
    return [*_down(), *_drained(known={use.gateway for use in at_work}), *at_work]


def _down() -> Iterator[Use]:
    down = Gateway.objects.filter(state__in=DOWN).order_by()
    for state, pk, name, pool, sessions, group in down.values_list("state", *COLUMNS):
        what: What = "quarantined" if state == Gateway.State.QUARANTINED else "silent"
        yield Use(pk, name, pool, sessions, group, what=what)


def _drained(known: Collection[int]) -> Iterator[Use]:
    """Gateways that a balancer keeps new users away from, whoever told it so; without those that are in hand."""
    if not (names := idle.drained()):
        return
    rows = Gateway.objects.filter(name__in=names, front__isnull=False).exclude(pk__in=known).exclude(state__in=DOWN)
    for pk, name, pool, sessions, group in rows.order_by().values_list(*COLUMNS):
        yield Use(pk, name, pool, sessions, group, what="drained")


def _at_work(but: Collection[int]) -> Iterator[Use]:
    shifting = StepRun.objects.filter(upgrade=OuterRef("pk"), name="shift", state__in=(S.DUE, S.CLAIMED))
    rows = Upgrade.objects.filter(busy=True).exclude(pk__in=but).annotate(shifts=Exists(shifting)).order_by()
    gateway = [f"gateway__{name}" for name in COLUMNS]
    for state, way, trial, shifts, rollout, pk, name, pool, sessions, group in rows.values_list(
        "state", "way", "trial_until", "shifts", "wave__rollout", *gateway
    ):
        if way == OUTGOING:
            # Nothing on it is touched, and it serves whoever is there. It is in hand: that nobody new comes is wanted.
            yield Use(pk, name, pool, 0, group, out=False, rollout=rollout)
            continue
        # Under a trial, and when only the shift is missing, the old release and the new one both serve or could.
        both = (state == U.COMMITTING and trial is not None) or (state == U.UPGRADING and shifts)
        out = not both and state not in (U.READY, U.OBSERVING) and not (way == INCOMING and state in NOT_YET)
        yield Use(pk, name, pool, sessions, group, out=out, rollout=rollout)


def _wanted(beginning: Sequence[Upgrade], rollouts: Mapping[int, int]) -> list[Use]:
    """The gateways as they are now, in the order of their upgrades."""
    whose = {upgrade.gateway_id: upgrade for upgrade in beginning if upgrade.way != OUTGOING}
    rows = Gateway.objects.filter(pk__in=whose).order_by().values_list(*COLUMNS)
    found = {
        pk: Use(pk, name, pool, sessions, group, out=up.way != INCOMING, rollout=rollouts[up.wave_id])
        for pk, name, pool, sessions, group in rows
        for up in (whose[pk],)
    }
    return [found[pk] for pk in whose]


def _own(specs: Mapping[int, Any]) -> list[Limit]:
    """What the strategies of these rollouts allow them to have out, over all that they touch."""
    limits = []
    for rollout, spec in specs.items():
        most = parse_spec(spec).max_out
        if most == MaxOut():
            continue
        mine = frozenset(Upgrade.objects.filter(wave__rollout=rollout).order_by().values_list("gateway", flat=True))
        by_share = share_of(most.percent, len(mine)) if most.percent is not None else None
        least = [number for number in (most.gateways, by_share) if number is not None]
        limits.append(
            Limit(
                whose=f"of rollout {rollout}",
                gateways=min(least, default=None),
                total=len(mine),
                sessions=most.sessions,
                only=mine,
            )
        )
    return limits
