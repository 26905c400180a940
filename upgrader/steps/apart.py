"""What one gateway shows as a whole, beside others and beside its own past: for where no old slot stands beside it, and
for what is seen from outside, where nobody knows which slot it was. Pure.

`kept` adds one stretch of time to the sums that travel in the observing step's row: {"until", "levels", "more",
"series", "rates", "by", "quiet", "facts"}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from math import log
from typing import Any

from upgrader.analysis import apart
from upgrader.analysis.rates import Counted
from upgrader.analysis.times import Pair, Sums
from upgrader.steps.told import Before, Seen
from upgrader.strategy_spec import Compare

OTHERS, HOURS = "others", "weeks"  # what a series is held against
OUTSIDE = ("outside_time", "outside_handshake", "outside_rtt", "outside_jitter")
MACHINE = ("machine_cpu", "machine_memory")
ALL_SIZES = (*OUTSIDE, *MACHINE, "rtt", "retransmissions", "memory", "cpu", "files", "door_time", "auth_time")
ALL_RATES = ("outside_logins", "outside_loss")
YET = {
    "probes": "Nothing has come from the probe hosts yet since the share was shifted.",
    "prometheus": "Nothing has come from Prometheus yet since the share was shifted.",
}


def begun(before: Before, *, compare: Compare, at: Mapping[str, float]) -> dict[str, Any]:
    """The sums before the first stretch: each line's level, what the hour brings, and the series of before."""
    made: dict[str, Any] = {"until": dict(at), "levels": {}, "more": {}, "series": {}, "rates": {}, "by": {}}
    made["quiet"] = {name: YET[name] for name in at if name in YET}
    for name, mine in before.mine.items():
        others = before.theirs.get(name, {})
        level = apart.levels({**mine, **others})
        both = apart.beside(mine, others, level) if compare != "past" else []
        more = before.hour.get(name)
        if len(both) >= apart.LEAST:
            made["series"][name] = series(both, OTHERS)
        elif compare != "control" and more is not None and len(own := apart.alone(mine, level)) >= apart.LEAST:
            made["series"][name] = series(own, HOURS)
            made["more"][name] = more
        else:
            continue
        made["levels"][name] = level
    made["rates"] = {name: {"past": [*counts]} for name, counts in before.rates.items()}
    return made


def series(before: Sequence[float], held: str) -> dict[str, Any]:
    sums = Sums()
    for value in before:
        sums = sums.added(log(value))
    return {"held": held, "after": list(astuple(Sums())), "before": list(astuple(sums)), "size": [0, 0.0]}


def kept(earlier: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    """The sums with one stretch more."""
    made = {**earlier, "until": {**earlier["until"], **seen.until}, "by": {**earlier["by"], **seen.by}}
    waiting = {name: say for name, say in earlier["quiet"].items() if name not in seen.until and say == YET[name]}
    made |= {"quiet": {**waiting, **seen.quiet}, "facts": dict(seen.facts)}
    made["series"] = {name: _grown(earlier, name, seen) for name in earlier["series"]}
    rates = {name: dict(one) for name, one in earlier["rates"].items()}
    for name, (mine, others) in seen.rates.items():
        one = rates.setdefault(name, {})
        for side, counts in (("canary", mine), ("others", others)):
            if counts[0]:
                one[side] = list(astuple(Counted(*one.get(side, ())).looked(*counts)))
    return made | {"rates": rates}


def _grown(earlier: Mapping[str, Any], name: str, seen: Seen) -> dict[str, Any]:
    one, level, mine = earlier["series"][name], earlier["levels"][name], seen.mine.get(name, {})
    if one["held"] == OTHERS:
        new = apart.beside(mine, seen.theirs.get(name, {}), level)
    else:
        new = apart.alone(mine, level, more=earlier["more"][name])
    if not new:
        return dict(one)
    pair = Pair(Sums(*one["after"]), Sums(*one["before"]))
    for value in new:
        pair = pair.later(value)
    number, total = one["size"]
    sizes = [log(value) for who, line in mine.items() if who in level for value in line.values()]
    return {**one, "after": list(astuple(pair.canary)), "size": [number + len(sizes), total + sum(sizes)]}
