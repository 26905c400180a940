"""A strategy: how a release spreads, as values. What can't be read stops the rollout; nothing is guessed. Pure.

The same data comes as YAML from people (strategy_text.py) and lies as JSON in each plan, so fields are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from upgrader.flow import TRIAL_LEAST
from upgrader.strategy_check import check_times, check_together
from upgrader.strategy_metrics import metrics_of, sources_of, whole_metrics
from upgrader.strategy_spec import COMPARES, KINDS, Drain, Limits, MaxOut, Spec, SpecError, Take, WaveSpec

__all__ = ["Drain", "Limits", "MaxOut", "Spec", "SpecError", "WaveSpec", "checked_spec", "full_spec", "parse_spec"]


def whole(data: Mapping[str, Any], name: str, low: int, high: int, *where: str | int) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{name} must be a whole number from {low} to {high}, and is {value!r}.", *where, name)
    return value


def share(data: Mapping[str, Any], name: str, low: float, high: float, *where: str | int) -> float:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SpecError(f"{name} must be a number from {low} to {high}, and is {value!r}.", *where, name)
    return float(value)


def one_of(data: Mapping[str, Any], name: str, words: Sequence[str], *where: str | int) -> str:
    value = data.get(name)
    if value not in words:
        raise SpecError(f"{name} must be one of {', '.join(words)}, and is {value!r}.", *where, name)
    return str(value)


def text(data: Mapping[str, Any], name: str, most: int, *where: str | int) -> str:
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise SpecError(f"{name} must be a text of at most {most} letters, and is {value!r:.80}.", *where, name)
    return value


def known(data: Mapping[str, Any], names: frozenset[str], what: str, *where: str | int) -> None:
    if unknown := sorted(set(data) - names):
        raise SpecError(f"{what} has fields that nobody reads: {', '.join(unknown)}.", *where, unknown[0])


TAKES: tuple[Take, ...] = ("count", "percent", "labels", "names", "rest")
WAVES_MAX = 100
WAVE_FIELDS = frozenset({*TAKES, "title", "weights", "observe_seconds"})


def parse_wave(data: Any, *where: str | int) -> WaveSpec:
    """Return one wave's rule. Exactly one of TAKES; weights rise and end at 100."""
    if not isinstance(data, Mapping):
        raise SpecError(f"A wave is a list of fields, and is {data!r}.", *where)
    takes = [name for name in TAKES if name in data]
    if len(takes) != 1:
        raise SpecError(f"A wave takes one of {', '.join(TAKES)}, and has {sorted(data)}.", *where)
    known(data, WAVE_FIELDS, "A wave", *where)
    if data.get("rest", True) is not True:
        raise SpecError(f"rest must be true, and is {data['rest']!r}.", *where, "rest")
    weights = data.get("weights", [100])
    whole_numbers = isinstance(weights, list) and all(type(w) is int and 1 <= w <= 100 for w in weights)
    if not weights or not whole_numbers or list(weights) != sorted(set(weights)) or weights[-1] != 100:
        raise SpecError(f"weights must rise and end at 100, and are {weights!r}.", *where, "weights")
    most = {"count": 10_000, "percent": 100}.get(takes[0], 0)
    return WaveSpec(
        title=text(data, "title", 120, *where),
        take=takes[0],
        amount=whole(data, takes[0], 1, most, *where) if most else 0,
        weights=tuple(weights),
        labels=_labels(data, *where),
        names=_names(data, *where),
        observe_seconds=whole(data, "observe_seconds", 0, 86_400, *where) if "observe_seconds" in data else None,
    )


def _labels(data: Mapping[str, Any], *where: str | int) -> Mapping[str, str]:
    if "labels" not in data:
        return {}
    labels = data["labels"]
    # Not str(value): "no" is False in YAML, and a zone that is called so would never match.
    if not isinstance(labels, Mapping) or not labels or not all(isinstance(value, str) for value in labels.values()):
        raise SpecError(f"labels must be names with texts (in quotes), and is {labels!r}.", *where, "labels")
    return dict(labels)


def _names(data: Mapping[str, Any], *where: str | int) -> tuple[str, ...]:
    if "names" not in data:
        return ()
    names = data["names"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise SpecError(f"names must be a list of gateways, and is {names!r}.", *where, "names")
    if len(set(names)) != len(names):
        raise SpecError(f"names lists a gateway twice: {', '.join(names)}.", *where, "names")
    return tuple(names)


DEFAULTS: Mapping[str, Any] = {
    "kind": "canary",
    "observe_seconds": 900,
    "poll_seconds": 5,
    "trial_seconds": 120,
    "at_once": 2,
    "promote": "hand",
    "shares": "machine",
    "on_fail": "wave",
    "compare": "best",
    "sources": [],
    "failures_max": 0,
    "between": [],
    "emergency": False,
    "limits": {},
    "drain": {},
    "max_out": {},
}
LIMITS: Mapping[str, Any] = {"login_success_min": 0.98, "min_logins": 20, "restarts_max": 0, "metrics": {}}
DRAIN: Mapping[str, Any] = {
    "deadline_hours": 24,
    "sessions_max": 0,
    "at_deadline": "ask",
    "extend_hours": 0,
    "cut_at_most": 0,
    "message": "",
}
MAX_OUT: Mapping[str, Any] = {"gateways": None, "percent": None, "sessions": None}
FIELDS = frozenset({*DEFAULTS, "waves", "batch"})


def parse_spec(data: Mapping[str, Any]) -> Spec:
    """Return the strategy as values. Raise SpecError with one sentence about the first field that is wrong.

    For what is stored: a plan that was approved under older rules must stay readable. What is new goes through
    checked_spec.
    """
    known(data, FIELDS, "The strategy")
    full = {**DEFAULTS, **data}
    if not isinstance(full["emergency"], bool):
        raise SpecError(f"emergency must be true or false, and is {full['emergency']!r}.", "emergency")
    spec = Spec(
        waves=_waves(full),
        kind=one_of(full, "kind", KINDS),  # type: ignore[arg-type]  # one_of has just said so
        observe_seconds=whole(full, "observe_seconds", 0, 86_400),
        poll_seconds=whole(full, "poll_seconds", 1, 300),
        trial_seconds=whole(full, "trial_seconds", TRIAL_LEAST, 86_400),
        at_once=whole(full, "at_once", 1, 1_000),
        promote=one_of(full, "promote", ("hand", "machine")),  # type: ignore[arg-type]  # the same
        shares=one_of(full, "shares", ("hand", "machine")),  # type: ignore[arg-type]  # the same
        on_fail=one_of(full, "on_fail", ("wave", "rollout")),  # type: ignore[arg-type]  # the same
        failures_max=whole(full, "failures_max", 0, 10_000),
        between=_between(full),
        emergency=full["emergency"],
        limits=_limits(full),
        drain=_drain(full),
        max_out=_max_out(full),
    )
    check_times(spec)
    return spec


def checked_spec(data: Mapping[str, Any]) -> Spec:
    """Return the strategy as values, if its fields do not contradict each other either; else raise SpecError."""
    spec = parse_spec(data)
    check_together(spec)
    return spec


def full_spec(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the strategy's data with every default written out: what a plan holds, so that it can be read for ever."""
    checked_spec(data)
    full = {**DEFAULTS, **data}
    parts = {"limits": LIMITS, "drain": DRAIN, "max_out": MAX_OUT}
    full |= {name: {**defaults, **full[name]} for name, defaults in parts.items()}
    full["limits"]["metrics"] = whole_metrics(full["limits"]["metrics"])
    if "batch" in full:
        return full | {"batch": _full_wave(full["batch"])}
    return full | {"waves": [_full_wave(wave) for wave in full["waves"]]}


def _full_wave(wave: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": "", "weights": [100], **wave}


def _waves(full: Mapping[str, Any]) -> tuple[WaveSpec, ...]:
    """The waves; a rolling strategy has one `batch` instead, which repeats."""
    rolling = full["kind"] == "rolling"
    if rolling != ("batch" in full) or (rolling and "waves" in full):
        raise SpecError("A rolling strategy has a batch; every other kind has waves.", "batch" if rolling else "waves")
    if rolling:
        batch = parse_wave(full["batch"], "batch")
        if batch.take not in ("count", "percent"):
            raise SpecError("A batch is a count or a percent.", "batch")
        return (batch,)
    waves = full.get("waves")
    if not isinstance(waves, list) or not waves:
        raise SpecError("The strategy has no waves.", "waves")
    if len(waves) > WAVES_MAX:
        raise SpecError(f"The strategy has {len(waves)} waves, and at most {WAVES_MAX} can be looked after.", "waves")
    return tuple(parse_wave(wave, "waves", number) for number, wave in enumerate(waves))


def _between(full: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the two pools that a blue-green strategy switches between; none for every other one."""
    pools = full["between"]
    if pools == []:
        return ()
    named = isinstance(pools, list) and all(isinstance(name, str) and name for name in pools)
    if not named or len(pools) != 2 or pools[0] == pools[1]:
        raise SpecError(f"between must name two different pools, and is {pools!r:.80}.", "between")
    if full["kind"] != "blue_green":
        raise SpecError(
            f"between sends all new users from one pool to the other at once: kind must be blue_green, and is"
            f" {full['kind']!r:.40}.",
            "between",
        )
    return (pools[0], pools[1])


def _part(full: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    part = full[name]
    if not isinstance(part, Mapping):
        raise SpecError(f"{name} is a list of fields, and is {part!r}.", name)
    known(part, frozenset(defaults), name, name)
    return {**defaults, **part}


def _limits(full: Mapping[str, Any]) -> Limits:
    limits = _part(full, "limits", LIMITS)
    return Limits(
        login_success_min=share(limits, "login_success_min", 0.0, 1.0, "limits"),
        min_logins=whole(limits, "min_logins", 1, 1_000_000, "limits"),
        restarts_max=whole(limits, "restarts_max", 0, 1_000, "limits"),
        metrics=metrics_of(limits["metrics"], "limits", "metrics"),
        compare=one_of(full, "compare", COMPARES),  # type: ignore[arg-type]  # the same
        sources=sources_of(full["sources"], "sources"),
    )


def _drain(full: Mapping[str, Any]) -> Drain:
    drain = _part(full, "drain", DRAIN)
    return Drain(
        deadline_hours=share(drain, "deadline_hours", 0.0, 10_000.0, "drain"),
        sessions_max=whole(drain, "sessions_max", 0, 100_000, "drain"),
        at_deadline=one_of(drain, "at_deadline", ("ask", "extend", "cut"), "drain"),  # type: ignore[arg-type]  # the same
        extend_hours=share(drain, "extend_hours", 0.0, 10_000.0, "drain"),
        cut_at_most=whole(drain, "cut_at_most", 0, 100_000, "drain"),
        message=text(drain, "message", 200, "drain"),
    )


def _max_out(full: Mapping[str, Any]) -> MaxOut:
    limits = _part(full, "max_out", MAX_OUT)
    most = {"gateways": 100_000, "percent": 100, "sessions": 100_000_000}
    return MaxOut(**{name: whole(limits, name, 1, most[name], "max_out") for name in most if limits[name] is not None})
