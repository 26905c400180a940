"""Rules as data: every shipped one can be read, and what can't be says which part and why."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.alarms.metrics import METRICS, Sums
from fleet.alarms.rules import DEFAULTS, RuleError, parse
from fleet.metrics.counters import COUNTED

SPEC = dict(DEFAULTS["login-failures"].spec)
NOTHING = dict.fromkeys(("handshake_ms", "auth_seconds", "rtt_ms", "rss_bytes", "open_files"))


@pytest.mark.parametrize("code", DEFAULTS)
def test_every_shipped_rule_can_be_read_and_said(code: str) -> None:
    rule = parse(code, DEFAULTS[code].spec)
    assert rule.say[0].isupper()
    assert "{" not in rule.say


def test_every_metric_has_a_rule() -> None:
    assert {shipped.spec["metric"] for shipped in DEFAULTS.values()} == set(METRICS)


@pytest.mark.parametrize(
    ("change", "field", "say"),
    [
        ({"threshold": "many"}, "threshold", "The threshold must be a number from 0 up; it is “many”."),
        ({"threshold": None}, "threshold", "it is missing"),
        ({"threshold": float("nan")}, "threshold", "“nan”"),
        ({"threshold": True}, "threshold", "“True”"),
        ({"threshold": -1}, "threshold", "from 0 up"),
        ({"clears_at": 21}, "clears_at", "It must clear at the threshold (20) or below, not at 21."),
        ({"comparison": "below"}, "clears_at", "or above"),
        ({"for_seconds": 90000}, "for_seconds", "86400 s (a day) at most"),
        ({"window_seconds": 5}, "window_seconds", "60 to 900 s"),
        ({"least": 0}, "least", "at least 1"),
        ({"severity": "loud"}, "severity", "one of critical, warning; it is “loud”"),
        ({"comparison": "≥"}, "comparison", "one of above, below"),
        ({"metric": "cpu"}, "metric", "is not what the rule login-failures is about"),
        ({"metric": "weather"}, "metric", "must be one of"),
        ({"enabled": "maybe"}, "enabled", "must be yes or no"),
    ],
)
def test_what_can_not_be_read_says_which_part_and_why(change: dict[str, Any], field: str, say: str) -> None:
    with pytest.raises(RuleError) as wrong:
        parse("login-failures", {**SPEC, **change})
    assert wrong.value.field == field
    assert say in wrong.value.say


def test_a_rule_that_is_no_set_of_values_and_one_without_any() -> None:
    nothing: tuple[object, ...] = ("20", None, [], {})
    for spec in nothing:
        with pytest.raises(RuleError):
            parse("login-failures", spec)


def sums(least: float = 20, **counts: float | None) -> Sums:
    return Sums(120.0, least, 40.0, {**dict.fromkeys(COUNTED), **counts}, NOTHING, NOTHING)


@pytest.mark.parametrize(
    ("failures", "logins", "share"), [(2, 0, 10), (10, 10, 50), (20, 0, 100), (0, 0, 0), (None, 3, None)]
)
def test_a_share_is_of_at_least_so_many(failures: float | None, logins: float, share: float | None) -> None:
    value = METRICS["login_failures"].value
    assert value is not None
    assert value(sums(failures=failures, logins=logins)) == share


def test_reconnects_are_held_against_users_and_errors_against_minutes() -> None:
    reconnects, errors = METRICS["reconnects"].value, METRICS["session_errors"].value
    assert reconnects is not None
    assert errors is not None
    assert reconnects(sums(least=10, reconnects=10)) == 25
    assert reconnects(sums(least=100, reconnects=10)) == 10
    assert errors(sums(errors=6)) == 3


def test_values_are_said_with_their_unit() -> None:
    assert METRICS["login_failures"].said(12.34) == "12.3 %"
    assert METRICS["silent"].said(372) == "6 min 12 s"
    assert METRICS["crashes"].said(2) == "2"
