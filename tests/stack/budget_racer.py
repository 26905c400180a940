"""A process of its own: workers of two rollouts begin gateways at the same moment, and a budget has room for three.

Prints as JSON how many were out after each round, and which exceptions came.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import django

django.setup()

from django.db import transaction  # noqa: E402 - models load after django.setup

from fleet.models import Gateway  # noqa: E402
from tests import factories  # noqa: E402
from tests.stack.racer import at_once  # noqa: E402
from upgrader import budgets, journal  # noqa: E402
from upgrader.journal import Change  # noqa: E402
from upgrader.models import Rollout, Upgrade  # noqa: E402
from upgrader.states import U  # noqa: E402

GATEWAYS = 12  # of which a quarter may be out
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def upgrades() -> list[Upgrade]:
    """Twelve gateways, in two rollouts that know nothing of each other."""
    pool = factories.pool()
    rows = [Gateway(name=f"gw-{number:02}", pool=pool, sessions=8) for number in range(GATEWAYS)]
    rows = Gateway.objects.bulk_create(rows)
    made: list[Upgrade] = []
    for half in (rows[::2], rows[1::2]):
        rollout = a_rollout()
        wave = rollout.waves.create(number=1, weights=[100], since=NOW)
        made += Upgrade.objects.bulk_create(Upgrade(wave=wave, gateway=row, since=NOW) for row in half)
    return made


def a_rollout() -> Rollout:
    plan = {"spec": factories.SPEC, "waves": []}
    release = factories.release(f"1.3.{Rollout.objects.count()}-1")
    about = {"release": release, "strategy": factories.strategy(), "pool": factories.pool(), "plan": plan}
    by = {"created_by": factories.person("operator"), "created_at": NOW, "since": NOW}
    return Rollout.objects.create(**about, **by, digest="0" * 64)


def begin(upgrade: Upgrade) -> None:
    with transaction.atomic():
        budgets.demand([upgrade], now=NOW)
        journal.write(Change(upgrade, U.UPGRADING, "Its turn."), NOW)


def a_round(ids: Sequence[int]) -> tuple[int, list[str]]:
    """All begin at once; how many are out then, and who said no."""
    Upgrade.objects.update(state=U.PLANNED, busy=False)
    rows = list(Upgrade.objects.filter(pk__in=ids).select_related("gateway", "wave"))
    said = at_once(*[lambda row=row: begin(row) for row in rows])
    return Upgrade.objects.filter(state=U.UPGRADING).count(), said


def main(rounds: int) -> None:
    ids = [row.pk for row in upgrades()]
    found = [a_round(ids) for _ in range(rounds)]
    print(json.dumps({"out": [out for out, _ in found], "said": sorted({name for _, said in found for name in said})}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
