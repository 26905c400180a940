"""Which gateways a plan is for, and what it says of the configuration that goes along. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from approvals.errors import Refused
from fleet import traffic
from fleet.models import Gateway, Pool
from releases import confdiff, configs
from releases.models import ConfigRevision, Release
from upgrader.models import Rollout
from upgrader.plan_waves import Target
from upgrader.strategy_spec import Drain


def gateways(
    release: Release, pool: Pool, config: ConfigRevision | None, *, without: Rollout | None = None
) -> list[Gateway]:
    """Gateways of the pool that do not serve the release, or not with this configuration. Refused for none.

    Those of the rollout `without` are left out.
    """
    rows = Gateway.objects.filter(pool=pool, state=Gateway.State.ENROLLED).exclude(release="").select_related("pool")
    if config is None:
        found = list(rows.exclude(release=release.name))
        what = release.name
    else:
        if config.pool_id != pool.pk:
            raise Refused(f"Configuration {config.number} belongs to another pool than {pool.name}.")
        if why := configs.why_not(config):
            raise Refused(why)
        mine = rows.filter(pk=config.gateway_id) if config.gateway_id else rows
        found = [row for row in mine if row.release != release.name or confdiff.agreed_sha(row) != config.sha256]
        what = f"{release.name} with configuration {config.number}"
    if without is not None:
        planned = {entry["id"] for wave in without.plan["waves"] for entry in wave["gateways"]}
        found = [row for row in found if row.pk not in planned]
        what += f" and is not in rollout {without.pk}"
    if not found:
        raise Refused(f"No reachable gateway of {pool.name} needs {what}.")
    return found


def config(release: Release, rows: Sequence[Gateway], revision: ConfigRevision) -> Mapping[str, Any]:
    """The plan's entry. Several gateways go one way: the one that suits them all."""
    return configs.planned(revision, rows, new_release=any(row.release != release.name for row in rows))


def target(row: Gateway, drain: Drain | None = None) -> Target:
    """The gateway as the plan takes it down; with the drain rule also how its users are moved, and who is cut by it."""
    hard = drain is not None and drain.at_deadline == "cut"
    left_most = max(drain.sessions_max, drain.cut_at_most if hard else 0) if drain else 0
    return Target(
        id=row.pk,
        name=row.name,
        release=row.release,
        sessions=row.sessions,
        domain=row.failure_domain,
        group=row.group,
        labels={str(name): str(value) for name, value in row.labels.items() if isinstance(value, str | int)},
        way=traffic.way_of(row) if drain else "handover",
        cut=traffic.will_cut(row, left_most=left_most) if drain else 0,
    )


def others(pool: Pool, rows: Sequence[Gateway]) -> list[Target]:
    """Gateways of the pool that need nothing or can't be reached; a strategy may name them all the same."""
    going = {row.pk for row in rows}
    here = Gateway.objects.filter(pool=pool).exclude(state=Gateway.State.LEFT)
    return [target(row) for row in here.defer("facts", "inventory", "config") if row.pk not in going]
