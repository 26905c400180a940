"""Running counts of one gateway's probe logins under one share of new clients. Pure.

They travel in the observing step's own result, so that a verdict costs one row a gateway and not a walk over samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from upgrader.steps.job import SampleOf

NOTHING: Mapping[str, Any] = {"tried": 0, "failed": 0, "restarts": 0, "last": ""}


def added(earlier: Mapping[str, Any], samples: Iterable[SampleOf], *, to_slot: int) -> dict[str, dict[str, Any]]:
    """Return the counts of both sides, `canary` (the new slot) and `control`, with these samples added."""
    sides = {name: dict(earlier.get(name, NOTHING)) for name in ("canary", "control")}
    for sample in samples:
        side = sides["canary" if sample.slot == to_slot else "control"]
        ok = sample.values.get("probe_ok")
        side["tried"] += ok is not None
        side["failed"] += ok is False
        side["restarts"] = max(side["restarts"], int(sample.values.get("restarts", 0)))
        if ok is False:
            side["last"] = str(sample.values.get("probe_say", ""))
    return sides
