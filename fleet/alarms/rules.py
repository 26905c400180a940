"""Rules as data: how one is read, what is wrong with one that can't be, and those that every installation has. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.alarms.metrics import METRICS, Metric

FOR_MOST = 24 * 3600
WINDOW_LEAST, WINDOW_MOST = 60, 900
SEVERITIES = ("critical", "warning")
COMPARISONS = ("above", "below")
OWN = "own-"  # begins the code of a rule that was written on the page
TITLE_LEAST, TITLE_MOST = 3, 60
NUMBERS = ("threshold", "clears_at", "for_seconds", "window_seconds", "least")


class RuleError(Exception):
    """A rule can't be read; `field` is which part of it, `say` the sentence."""

    def __init__(self, field: str, say: str) -> None:
        super().__init__(say)
        self.field, self.say = field, say


@dataclass(frozen=True)
class Rule:
    """It fires when the value is beyond `threshold` without a break for `for_seconds`, and clears at `clears_at`.

    Equal to the threshold is allowed; equal to `clears_at` clears. Both are in the metric's unit.
    """

    code: str
    metric: str
    above: bool
    threshold: float
    clears_at: float
    for_seconds: float
    window_seconds: float
    severity: str
    least: float = 1.0
    enabled: bool = True
    title: str = ""  # of one that was written on the page

    @property
    def called(self) -> str:
        return self.title or DEFAULTS[self.code].title

    @property
    def of(self) -> Metric:
        return METRICS[self.metric]

    @property
    def say(self) -> str:
        """Return "More than 10 % of sign-ins fail"."""
        return self.of.found(self.threshold, above=self.above)


def parse(code: str, spec: object) -> Rule:
    """Read a rule as it is stored. Raise RuleError with the first thing that is wrong."""
    if not isinstance(spec, Mapping):
        raise RuleError("metric", "It is no set of values.")
    metric, comparison, severity = (spec.get(name) for name in ("metric", "comparison", "severity"))
    _one_of("metric", metric, METRICS)
    title = _title(spec.get("title")) if code.startswith(OWN) else ""
    if not title and (code not in DEFAULTS or DEFAULTS[code].spec["metric"] != metric):
        raise RuleError("metric", f"{_shown(metric)} is not what the rule {code} is about.")
    _one_of("comparison", comparison, COMPARISONS)
    _one_of("severity", severity, SEVERITIES)
    numbers = {name: _number(name, spec.get(name, 1.0 if name == "least" else None)) for name in NUMBERS}
    above = comparison == "above"
    _bounded(numbers, above=above)
    enabled = spec.get("enabled", True)
    if not isinstance(enabled, bool):
        raise RuleError("enabled", "Whether it is judged must be yes or no.")
    return Rule(code, str(metric), above, severity=str(severity), enabled=enabled, title=title, **numbers)


def _title(given: object) -> str:
    title = " ".join(str(given or "").split())
    if not TITLE_LEAST <= len(title) <= TITLE_MOST or not any(letter.isalpha() for letter in title):
        raise RuleError("title", f"A rule is called something of {TITLE_LEAST} to {TITLE_MOST} letters.")
    return title


def _bounded(numbers: Mapping[str, float], *, above: bool) -> None:
    threshold, clears_at = numbers["threshold"], numbers["clears_at"]
    if clears_at > threshold if above else clears_at < threshold:
        side = "below" if above else "above"
        raise RuleError("clears_at", f"It must clear at the threshold ({threshold:g}) or {side}, not at {clears_at:g}.")
    if numbers["for_seconds"] > FOR_MOST:
        raise RuleError("for_seconds", f"It may wait {FOR_MOST} s (a day) at most.")
    if not WINDOW_LEAST <= numbers["window_seconds"] <= WINDOW_MOST:
        raise RuleError("window_seconds", f"It may look back on {WINDOW_LEAST} to {WINDOW_MOST} s.")
    if numbers["least"] < 1:
        raise RuleError("least", "A share must be of at least 1.")


def _one_of(field: str, value: object, known: Mapping[str, Any] | tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in known:
        raise RuleError(field, f"The {field} must be one of {', '.join(known)}; it is {_shown(value)}.")


def _number(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise RuleError(field, f"{LABELS[field]} must be a number from 0 up; it is {_shown(value)}.")
    return float(value)


def _shown(value: object) -> str:
    return "missing" if value is None else f"“{str(value)[:40]}”"


LABELS = {
    "threshold": "The threshold",
    "clears_at": "The value at which it clears",
    "for_seconds": "For how long",
    "window_seconds": "The window",
    "least": "The least number",
}


@dataclass(frozen=True)
class Shipped:
    """A rule that every installation has, and why its numbers are what they are."""

    title: str
    why: str
    spec: Mapping[str, Any]


def _shipped(title: str, why: str, spec: dict[str, Any], *, critical: bool = False) -> Shipped:
    usual = {"comparison": "above", "for_seconds": 60, "window_seconds": 300, "least": 1, "enabled": True}
    return Shipped(title, why, {**usual, **spec, "severity": "critical" if critical else "warning"})


def _limits(metric: str, threshold: float, clears_at: float, **more: float) -> dict[str, Any]:
    return {"metric": metric, "threshold": threshold, "clears_at": clears_at, **more}


DEFAULTS: Mapping[str, Shipped] = {
    "login-failures": _shipped(
        "Sign-ins fail",
        "Typing errors alone stay below 10 % where more than a handful sign in. The share is of at least 20.",
        _limits("login_failures", 20, 10, window_seconds=120, least=20),
        critical=True,
    ),
    "session-errors": _shipped(
        "Sessions end with errors",
        "A single error is everyday; several a minute for two minutes are not.",
        _limits("session_errors", 3, 1, for_seconds=120),
    ),
    "reconnect-storm": _shipped(
        "Reconnect storm",
        "A fifth of all users within five minutes: the network in front, or a gateway that cuts them off.",
        _limits("reconnects", 20, 10, least=10, for_seconds=0),
        critical=True,
    ),
    "handshake-time": _shipped(
        "Slow handshake", "Clients give up after some seconds.", _limits("handshake", 1000, 500, for_seconds=180)
    ),
    "login-time": _shipped("Slow sign-in", "RADIUS servers are asked again after 5 s.", _limits("login_time", 5, 3)),
    "round-trip": _shipped("Slow round trip", "Calls get hard to follow.", _limits("rtt", 400, 250, for_seconds=300)),
    "loss": _shipped("Loss to users", "TCP gets slow.", _limits("loss", 5, 2, least=1000, for_seconds=180)),
    "memory": _shipped(
        "Memory", "ocserv needs some 100 MiB for 1,000 users.", _limits("memory", 2048, 1536, for_seconds=300)
    ),
    "cpu": _shipped("Processor", "One core is nearly used up.", _limits("cpu", 90, 70, for_seconds=300)),
    "open-files": _shipped(
        "Open files", "The usual limit is 65,536.", _limits("open_files", 50000, 40000, for_seconds=300)
    ),
    "crashes": _shipped(
        "ocserv crashed", "Each crash has cut users off.", _limits("crashes", 0, 0, for_seconds=0), critical=True
    ),
    "restarts": _shipped(
        "ocserv restarted", "Nobody restarts a slot that has users.", _limits("restarts", 0, 0, for_seconds=0)
    ),
    "gateway-silent": _shipped(
        "Gateway silent",
        "It does not answer, so nothing is known of it.",
        _limits("silent", 60, 0, for_seconds=0),
        critical=True,
    ),
    "slot-silent": _shipped(
        "ocserv silent", "Its gateway answers, ocserv does not.", _limits("slots_silent", 0, 0), critical=True
    ),
    "collector-silent": _shipped(
        "Collector silent", "No rule is judged without it.", _limits("unwatched", 60, 30, for_seconds=30), critical=True
    ),
    "probe-banned": _shipped(
        "Probe banned", "Its failures say nothing about users.", _limits("probe_banned", 0, 0, for_seconds=0)
    ),
    "complaints": _shipped(
        "Users complain",
        "Most who are cut off don't report it, so five of 1,000 sessions are many.",
        _limits("complaints", 5, 2, least=200),
    ),
    "outside-down": _shipped(
        "Can’t sign in from outside",
        "More than half of the probe hosts failed twice in a row: it is not one host’s line. Bans don’t count.",
        _limits("outside_failing", 50, 0),
        critical=True,
    ),
    "outside-time": _shipped(
        "Slow sign-in from outside",
        "Clients wait, and users try again. Looks back on 10 min at least.",
        _limits("outside_time", 5000, 3000, for_seconds=180),
    ),
    "outside-loss": _shipped(
        "Loss from outside",
        "Calls break up. Looks back on 10 min at least.",
        _limits("outside_loss", 10, 5, least=50, for_seconds=180),
    ),
    "machine-cpu": _shipped(
        "CPU of the machine", "By Prometheus. Nothing is left for more users.", _limits("machine_cpu", 90, 75)
    ),
    "machine-memory": _shipped(
        "Memory of the machine",
        "By Prometheus. The kernel ends the biggest process when none is left.",
        _limits("machine_memory", 90, 85, for_seconds=300),
    ),
    "tracked": _shipped(
        "Connections tracked",
        "By Prometheus. At the limit the kernel drops new connections without a word.",
        _limits("tracked", 80, 70),
    ),
    "prometheus-silent": _shipped(
        "Prometheus silent",
        "Gateways that the collector does not ask are judged by nobody meanwhile.",
        _limits("prometheus_silent", 300, 120, for_seconds=0),
    ),
}
"""Code → what stands when nobody has changed it."""
