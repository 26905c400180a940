"""A process of its own on PostgreSQL: a worker settles a step while the machine takes the upgrade somewhere else.

Prints how often which exception came, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import django

django.setup()

from django.db import connection  # noqa: E402 - models load after django.setup

from tests.db.upgrader.world import Fleet  # noqa: E402
from upgrader import claims, hint, journal  # noqa: E402
from upgrader.claims import Settled  # noqa: E402
from upgrader.journal import Change  # noqa: E402
from upgrader.models import StepRun, Upgrade  # noqa: E402
from upgrader.states import S, U  # noqa: E402


def fleet_under_observation() -> tuple[Fleet, Upgrade]:
    fleet = Fleet(gateways=1)
    rollout = fleet.started()
    while (upgrade := fleet.upgrades(rollout)[0]).state != U.OBSERVING:
        fleet.turn(1)
    return fleet, upgrade


def a_round(fleet: Fleet, upgrade_id: int) -> list[str]:
    """Claim its step; then let both go at once. Names of the exceptions."""
    Upgrade.objects.filter(pk=upgrade_id).update(state=U.OBSERVING)
    StepRun.objects.filter(upgrade=upgrade_id, state__in=[S.DUE, S.CLAIMED]).update(state=S.DROPPED)
    upgrade = Upgrade.objects.get(pk=upgrade_id)
    step = journal.open_step(upgrade, "observe", {}, fleet.now())
    claimed = claims.claim(step.pk, owner="racer:1", now=fleet.now())
    assert claimed is not None
    change = Change(upgrade, U.ROLLING_BACK, "raced", drop_steps=True, step="restore")
    return at_once(
        lambda: claims.settle(claimed, Settled(S.DUE, columns={"kept": 1}), now=fleet.now()),
        lambda: journal.move([change], actor=journal.MACHINE, now=fleet.now()),
    )


def at_once(*acts: Callable[[], object]) -> list[str]:
    start = Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        start.wait()
        try:
            act()
        except Exception as error:
            return type(error).__name__
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(len(acts)) as pool:
        return [name for name in pool.map(run, acts) if name]


def main(rounds: int) -> None:
    hint.send = lambda *_: None
    fleet, upgrade = fleet_under_observation()
    seen = Counter(name for _ in range(rounds) for name in a_round(fleet, upgrade.pk))
    print(json.dumps(seen))


if __name__ == "__main__":
    main(int(sys.argv[1]))
