"""What the steps took in a pool before. Reads only."""

from __future__ import annotations

from fleet.models import Pool
from upgrader.models import StepRun
from upgrader.plan_times import STEPS, Pace, pace
from upgrader.states import S

LOOKS_AT = 700  # step runs: the last hundred upgrades


def of_pool(pool: Pool) -> Pace:
    """The pace of the pool's last upgrades, or the usual one."""
    done = StepRun.objects.filter(state=S.DONE, name__in=STEPS, started_at__isnull=False, finished_at__isnull=False)
    rows = done.filter(upgrade__gateway__pool=pool).order_by("-pk")
    said = rows.values_list("upgrade_id", "name", "started_at", "finished_at")[:LOOKS_AT]
    return pace((pk, name, (end - start).total_seconds()) for pk, name, start, end in said if start and end)
