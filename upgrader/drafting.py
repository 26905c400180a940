"""The plan, computed once and stored; and as it would be, for the page before that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.db import transaction

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.models import Gateway, Pool
from fleet.phrases import listed
from releases import services as releases
from releases.models import ConfigRevision, Release
from upgrader import between, bounds, budgets, drifted, going, paces, plan, rights, start_time, together
from upgrader.downgrade import downgraded
from upgrader.models import Rollout, Strategy, Upgrade, Wave
from upgrader.plan_waves import Target
from upgrader.strategy import Spec, SpecError, parse_spec

BATCH = 2_000  # rows a statement


class Also(TypedDict, total=False):
    """What a plan may have besides. `over_drift`: name the drift that stands on the gateways now, so that the rollout
    may start over exactly that. `config`: a configuration that goes along. `passes`: freezes that it may pass.
    `without`: a rollout whose gateways are left out, for those that joined after it was drawn. `start_at`: nothing
    begins before."""

    over_drift: bool
    config: ConfigRevision | None
    passes: Sequence[int]
    without: Rollout | None
    start_at: datetime | None


def draft(
    *, release: Release, pool: Pool, strategy: Strategy, by: User, now: datetime, **also: Unpack[Also]
) -> Rollout:
    """Compute the plan once and store it. Nothing happens until it is submitted and approved."""
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    rights.demand(actor, "submit", pool)
    planned = plan_for(release, pool, strategy, now=now, **also)
    between.refuse_stranger(planned, actor, "submit")
    with transaction.atomic():
        rollout = Rollout.objects.create(
            release=release,
            strategy=strategy,
            pool=pool,
            config=also.get("config"),
            plan=planned,
            digest=plan.digest(planned),
            since=now,
            reason="Planned.",
            created_by=by,
            created_at=now,
        )
        _rows(rollout, now=now)
        audit.append(
            "rollout.drafted",
            subject=f"rollout:{rollout.pk}",
            actor=actor,
            at=now,
            details={"digest": rollout.digest, "release": release.name, "pool": pool.name, "rollout": rollout.pk},
        )
    return rollout


def _rows(rollout: Rollout, *, now: datetime) -> None:
    """The plan's waves and gateways as rows, in a few statements for thousands of them."""
    said = {wave["number"]: wave for wave in rollout.plan["waves"]}
    waves = Wave.objects.bulk_create(
        Wave(
            rollout=rollout,
            number=number,
            weights=wave["weights"],
            observe_seconds=wave["observe_seconds"],
            since=now,
        )
        for number, wave in said.items()
    )
    Upgrade.objects.bulk_create(
        (
            Upgrade(
                wave=wave,
                gateway_id=gateway["id"],
                from_release=gateway["from"],
                way=gateway["way"],
                cut_at_most=gateway["cut"],
                since=now,
            )
            for wave in waves
            for gateway in said[wave.number]["gateways"]
        ),
        batch_size=BATCH,
    )


def plan_for(
    release: Release, pool: Pool, strategy: Strategy, *, now: datetime, **also: Unpack[Also]
) -> dict[str, Any]:
    """The plan for every gateway of the pool that does not serve this yet. Refused when nothing is to do."""
    if why := releases.why_not_for(release, pool, now):
        raise Refused(why)
    if strategy.retired_at is not None:
        raise Refused(f"Strategy {strategy.title} (v{strategy.version}) is retired. Choose another.")
    config = also.get("config")
    gateways = going.gateways(release, pool, config, without=also.get("without"))
    if (both := _pair(pool, strategy)) is not None:
        gateways = list(both.incoming)
    every = [*gateways, *(both.outgoing if both else ())]
    standing = drifted.standing([row.pk for row in every]) if also.get("over_drift") else []
    beside = plan.Beside(
        downgrade=downgraded(release, gateways),
        config=going.config(release, gateways, config) if config else None,
        others=going.others(pool, gateways),
        pace=paces.of_pool(pool),
        passes=also.get("passes") or bounds.passes_for(pool, strategy.spec, now),
        between=both.plan() if both else None,
        leaving=[between.leaving(row) for row in both.outgoing] if both else (),
    )
    if both and beside.config and (why := between.why_not_config(beside.config["way"])):
        raise Refused(why)
    start = start_time.planned(also.get("start_at"), now=now)
    planned = {"drift": standing} | _built(release, strategy, gateways, beside) | start
    if why := budgets.would_never_fit(planned):
        raise Refused(why)
    return planned


def _pair(pool: Pool, strategy: Strategy) -> between.Pair | None:
    try:
        return between.pair(pool, parse_spec(strategy.spec))
    except SpecError as unreadable:
        raise Refused(f"Strategy {strategy.title} can't be read: {unreadable}") from unreadable


def _refuse_together(spec: Spec, targets: Sequence[Target]) -> None:
    """A common shift needs both releases side by side."""
    names = [target.name for target in targets if target.way == "in_place"]
    if spec.kind == "blue_green" and names:
        raise Refused(
            f"{listed(names, 8)} can't hold two releases at once, so they can't wait for a common shift. Choose a"
            " rolling strategy for them, or a pool without them."
        )
    if spec.kind == "blue_green" and (why := together.too_many([it.id for it in targets], workers=settings.WORKERS)):
        raise Refused(why)


def _built(release: Release, strategy: Strategy, gateways: Sequence[Gateway], beside: plan.Beside) -> dict[str, Any]:
    about = {name: getattr(release, name) for name in ("name", "version", "digest", "state_migration")}
    how = {name: getattr(strategy, name) for name in ("name", "version", "title", "spec")}
    try:
        spec = parse_spec(strategy.spec)
        targets = [going.target(row, spec.drain) for row in gateways]
        if beside.between:
            targets = [between.bringing(target) for target in targets]
        _refuse_together(spec, targets)
        return plan.build(
            release=about,
            pool=gateways[0].pool.name,
            strategy=how,
            targets=targets,
            beside=beside,
        )
    except SpecError as unreadable:
        raise Refused(f"Strategy {strategy.title} can't be read: {unreadable}") from unreadable
    except plan.PlanError as unfit:
        raise Refused(str(unfit)) from unfit
