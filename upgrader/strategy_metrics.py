"""The metrics of a strategy's limits: which are compared with the old slot, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from upgrader.strategy_spec import METRICS, SOURCES, Metric, Source, SpecError

TOLERATED_MOST = 100.0


def metrics_of(data: Any, *where: str) -> dict[str, Metric]:
    """Return every metric, with what the strategy says of it or its default. Raise SpecError for the first fault."""
    if not isinstance(data, Mapping):
        raise SpecError(f"metrics is a list of metrics, and is {data!r}.", *where)
    if unknown := sorted(set(data) - set(METRICS)):
        raise SpecError(f"There is no metric {unknown[0]!r}; there are {', '.join(METRICS)}.", *where, unknown[0])
    return {name: _metric(data.get(name, {}), default, *where, name) for name, default in METRICS.items()}


def whole_metrics(data: Any) -> dict[str, Any]:
    """The same as data, with every default written out."""
    return {name: asdict(metric) for name, metric in metrics_of(data, "limits", "metrics").items()}


def sources_of(data: Any, *where: str) -> tuple[Source, ...]:
    """Return the sources that a strategy names, none for whatever there is. Raise SpecError for what is no source."""
    if not isinstance(data, list) or any(name not in SOURCES or data.count(name) > 1 for name in data):
        say = f"sources lists some of {', '.join(SOURCES)}, each once, or nothing; it is {data!r:.80}."
        raise SpecError(say, *where)
    return tuple(name for name in SOURCES if name in data)


def _metric(data: Any, default: Metric, *where: str) -> Metric:
    if not isinstance(data, Mapping):
        raise SpecError(f"{where[-1]} is a list of fields, as “critical: true”, and is {data!r}.", *where)
    if unknown := sorted(set(data) - {"use", "critical", "tolerated"}):
        raise SpecError(f"{where[-1]} has fields that nobody reads: {', '.join(unknown)}.", *where, unknown[0])
    for name in ("use", "critical"):
        if not isinstance(data.get(name, True), bool):
            raise SpecError(f"{name} must be true or false, and is {data[name]!r}.", *where, name)
    tolerated = data.get("tolerated", default.tolerated)
    number = isinstance(tolerated, int | float) and not isinstance(tolerated, bool)
    if not number or not 1 <= tolerated <= TOLERATED_MOST:
        say = f"tolerated must be a number from 1 to {TOLERATED_MOST:g}, times the old slot's, and is {tolerated!r}."
        raise SpecError(say, *where, "tolerated")
    made = replace(default, **{**data, "tolerated": float(tolerated)})
    if made.critical and not made.use:
        raise SpecError(f"{where[-1]} is critical and not used: say critical: false.", *where, "use")
    return made
