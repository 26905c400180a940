"""What one process does, counted and timed in it: queries of a gateway's whole upgrade, and a tick with nothing due."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from bench import crowd_rows, streets
from fleet import gateways
from fleet.models import Gateway
from lab.demo import simulated
from upgrader import desk, engine, run
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.news import News
from upgrader.states import R, S, U, W

COUNTED = 100  # gateways
TICKS = 30  # each rollout is looked at at least once every 15


def measured(state: Path, *, rollouts: int, gateways: int) -> dict[str, Any]:
    key, folder = crowd_rows.ssh_key(), state / "goods"
    release = crowd_rows.a_release(folder, simulated.NEW[0])
    with streets.open_for(COUNTED, servers=1, release=simulated.OLD, key=key) as fleet:
        pool = crowd_rows.a_pool("counted", fleet)
        rollout = crowd_rows.a_rollout(pool, release)
        crowd_rows.approve(rollout)
        queries = counted(lambda: carried(rollout))
    found = {"queries_per_gateway": round(sum(queries.values()) / COUNTED, 1)}
    crowd(rollout, rollouts=rollouts, each=gateways)
    return found | ticks(rollouts)


def counted(act: Callable[[], object]) -> Counter[str]:
    """The queries that `act` makes, by their first words."""
    seen: Counter[str] = Counter()

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        seen[sql[:80]] += 1
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        act()
    return seen


def carried(rollout: Rollout) -> None:
    """Do in this thread what the lanes of a worker do: the engine's moves, and each chain to its end."""
    waiting = list(StepRun.objects.filter(pk__in=engine.tick(now=timezone.now())))
    while waiting:
        step = waiting.pop(0)
        chain = desk.CHAINS[desk.lane_of(step.name, step.args)]
        ended = run.run_chain(step.pk, opener=gateways.open, clock=timezone.now, steps=chain)
        waiting += ended.opened
        if ended.ask_engine:
            waiting += engine.advance(rollout.pk, now=timezone.now())
    rollout.refresh_from_db()
    if rollout.state != R.DONE:
        raise RuntimeError(f"The counted rollout is {rollout.state}: {rollout.reason}")


def crowd(like: Rollout, *, rollouts: int, each: int) -> None:
    """Rollouts under observation, with nothing due for an hour: what a tick finds most of the time."""
    now = timezone.now()
    later = now + timedelta(hours=1)
    for number in range(rollouts):
        made = {"state": R.UPGRADING, "since": now, "created_at": now, "pk": None, "version": 1}
        rollout = Rollout.objects.get(pk=like.pk)
        for name, value in made.items():
            setattr(rollout, name, value)
        rollout.save(force_insert=True)
        wave = Wave.objects.create(
            rollout=rollout, number=1, state=W.OBSERVING, weights=[100], since=now, observe_until=later
        )
        under(wave, each=each, prefix=f"t{number}", due=later)


def under(wave: Wave, *, each: int, prefix: str, due: Any) -> None:
    common = {"pool": wave.rollout.pool, "adapter": "memory", "address": "x"}
    model = Gateway
    rows = model.objects.bulk_create(model(name=f"{prefix}-{number}", **common) for number in range(each))
    what = {"wave": wave, "state": U.OBSERVING, "since": wave.since, "busy": True, "from_release": "1.1.6-3"}
    upgrades = Upgrade.objects.bulk_create(Upgrade(gateway=row, from_slot=1, to_slot=2, **what) for row in rows)
    StepRun.objects.bulk_create(
        StepRun(upgrade=upgrade, ordinal=1, name="observe", state=S.DUE, due_at=due) for upgrade in upgrades
    )


def ticks(rollouts: int) -> dict[str, Any]:
    """Milliseconds of a tick, as they come once a second when nothing has happened, and its queries."""
    news, start = News(), timezone.now()
    took, queries = [], []
    engine.tick(now=start, news=news)
    for second in range(1, TICKS + 1):
        began = time.perf_counter()
        made = counted(partial(engine.tick, now=start + timedelta(seconds=second), news=news))
        took.append(1000 * (time.perf_counter() - began))
        queries.append(made.total())
    return {
        f"tick_ms_{rollouts}_rollouts": round(statistics.mean(took), 1),
        f"tick_most_ms_{rollouts}_rollouts": round(max(took), 1),
        "tick_queries": round(statistics.mean(queries), 1),
    }
