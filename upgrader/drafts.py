"""What may be planned by whom, and the plan as it would be: shown before anything is stored. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet

from approvals.errors import Refused
from approvals.models import User
from fleet.models import Pool
from fleet.phrases import count
from fleet.selectors import pools_with
from releases import services as releases
from releases.models import ConfigRevision, Release
from upgrader import between_words, bounds, drifted, plan, services, strategy_store
from upgrader.models import Rollout, Strategy

Row = TypeVar("Row", Release, Pool, Strategy, ConfigRevision)
LOOKED_AT = 20  # releases, the newest first, until one is found that may run


@dataclass(frozen=True)
class Choice:
    """The form of a new rollout: what can be chosen, what is, and the plan or the reason why there is none."""

    releases: list[Release]
    pools: list[Pool]
    strategies: list[Strategy]
    release: Release | None
    pool: Pool | None
    strategy: Strategy | None
    configs: list[ConfigRevision] = field(default_factory=list)
    config: ConfigRevision | None = None
    without: Rollout | None = None  # whose gateways are left out
    plan: dict[str, Any] | None = None
    newer: str = ""  # why a newer release than the chosen one is not chosen by itself
    waits: str = ""  # which window or freeze will make it wait, and until when
    refusal: str = ""

    @property
    def effect(self) -> str:
        """What the plan does, in one sentence with numbers."""
        if self.plan is None or self.release is None:
            return ""
        if said := between_words.effect(self.plan):
            return f"{said} {plan.config_say(self.plan)}".rstrip()
        waves = self.plan["waves"]
        gateways = [gateway for wave in waves for gateway in wave["gateways"]]
        users = sum(gateway["sessions"] for gateway in gateways)
        go = f"{count(len(gateways), 'gateway')} go to {self.release.name} in {count(len(waves), 'wave')}."
        if self.plan.get("config", {}).get("way") == "reload":
            go = f"{count(len(gateways), 'gateway')} stay on {self.release.name}, in {count(len(waves), 'wave')}."
            return f"{go} {count(users, 'user')} are on them now; their sessions stay. {plan.config_say(self.plan)}"
        stay = f"{count(users, 'user')} are on them now; they stay on the old slots until they leave."
        if cut := self.plan["cut"]:
            stay = f"{count(users, 'user')} are on them now; up to {cut} will be cut, the others stay until they leave."
        return f"{go} {stay} {plan.config_say(self.plan)}".rstrip()

    @property
    def warning(self) -> str:
        return plan.downgrade_say(self.plan) if self.plan else ""

    @property
    def passes(self) -> str:
        """Which freezes the plan would go through; "" for none."""
        return bounds.passes_say(self.plan) if self.plan else ""

    @property
    def drift(self) -> str:
        """Which drift the plan goes over, or stops at; "" when there is none."""
        if self.plan is None:
            return ""
        if left := drifted.of_plan(self.plan):
            return f"{drifted.said(left)} drifted from what was agreed, so this plan can't be submitted as it is."
        return drifted.plan_say(self.plan)

    @property
    def drifted_number(self) -> int:
        """How many gateways of the plan drifted, whether it includes that or not."""
        if self.plan is None:
            return 0
        return len({entry["id"] for entry in (*self.plan["drift"], *drifted.of_plan(self.plan))})


def pools(user: User) -> QuerySet[Pool]:
    """Pools on which the user may plan a rollout."""
    return pools_with(user, "submit_rollout")


def choice(user: User, ids: Mapping[str, int], *, now: datetime, over_drift: bool = False) -> Choice:
    """Return the form with the plan that these ids (release, pool, strategy, config, without) give.

    0 takes the first that there is, of releases the newest that may run there, and of configurations none.
    """
    ready = list(Release.objects.filter(state=Release.State.READY)[:200])
    mine, strategies = list(pools(user)[:200]), strategy_store.offered()
    without = Rollout.objects.filter(pk=ids.get("without", 0), pool__in=mine).first()
    made = Choice(
        releases=ready,
        pools=mine,
        strategies=strategies,
        pool=(pool := _picked(mine, ids["pool"])),
        release=(picked := _release(ready, ids["release"], pool, now))[0],
        newer=picked[1],
        strategy=_of_name(strategies, ids["strategy"]),
        configs=(agreed := _configs(pool)),
        config=_picked(agreed, ids["config"]) if ids["config"] else None,
        without=without if without and pool and without.pool_id == pool.pk else None,
    )
    if made.release is None or made.pool is None or made.strategy is None:
        return refused(made, _missing(made))
    if ids["config"] and made.config is None:
        return refused(made, f"No agreed configuration of {made.pool.name} has this number. Choose another.")
    try:
        also = services.Also(over_drift=over_drift, config=made.config, without=made.without)
        planned = services.plan_for(made.release, made.pool, made.strategy, now=now, **also)
        return replace(made, plan=planned, waits=bounds.wait_say(planned, made.pool.pk, now=now))
    except Refused as refusal:
        return refused(made, refusal.say)


def _configs(pool: Pool | None) -> list[ConfigRevision]:
    """Agreed configurations of the pool, newest first."""
    rows = ConfigRevision.objects.filter(pool=pool, state=ConfigRevision.State.AGREED)
    return list(rows[:50]) if pool else []


def refused(made: Choice, say: str) -> Choice:
    return replace(made, plan=None, refusal=say)


def _picked(rows: list[Row], pk: int) -> Row | None:
    return next((row for row in rows if row.pk == pk), rows[0] if rows and not pk else None)


def _release(rows: list[Release], pk: int, pool: Pool | None, now: datetime) -> tuple[Release | None, str]:
    """The release that is asked for, else the newest that may run in the pool; and why no newer one may."""
    if pk or pool is None or not rows:
        return _picked(rows, pk), ""
    refused: list[str] = []
    for row in rows[:LOOKED_AT]:
        if not (why := releases.why_not_for(row, pool, now)):
            return row, " ".join(refused)
        refused.append(f"{row.name} is newer and can't go to {pool.name}. {why}")
    return rows[0], ""


def _of_name(rows: list[Strategy], pk: int) -> Strategy | None:
    """The strategy, or the version of it that is offered now."""
    name = Strategy.objects.filter(pk=pk).values_list("name", flat=True).first()
    return next((row for row in rows if row.name == name), None) if pk else _picked(rows, 0)


def _missing(made: Choice) -> str:
    if not made.pools:
        return "You may not plan a rollout on any pool. Ask for the right “May plan a rollout” on yours."
    if not made.releases:
        return "There is no release yet. Nothing can be planned before one is added."
    if not made.strategies:
        return "There is no strategy yet. Write one, or let manage.py prepare store the usual ones."
    return "Choose a release, a pool and a strategy."
