"""The dispatch table: one function for each verb of schema.VERBS."""

from __future__ import annotations

from typing import Callable, Dict

from . import check, departures, drain, facts, metrics, probe, restore, snapshot, stage, start, steer
from .call import Call, Result

VERBS: Dict[str, Callable[[Call], Result]] = {
    "facts": facts.facts,
    "stage": stage.stage,
    "check": check.check,
    "start": start.start,
    "probe": probe.probe,
    "shift": steer.shift,
    "commit": steer.commit,
    "drain": drain.drain,
    "sessions": drain.sessions,
    "departures": departures.departures,
    "retire": drain.retire,
    "restore": restore.restore,
    "snapshot": snapshot.snapshot,
    "metrics": metrics.metrics,
    "watch": metrics.watch,
}
