"""Which metrics a strategy compares, and what is refused by its line."""

from __future__ import annotations

from typing import Any

import pytest

from upgrader.plan_words import limits_say
from upgrader.strategy import full_spec, parse_spec
from upgrader.strategy_spec import METRICS, Metric, SpecError
from upgrader.strategy_text import TextError, read

ONE: dict[str, Any] = {"waves": [{"rest": True}]}
TEXT = """title: Careful
waves:
  - rest: true
limits:
  min_logins: 12
  metrics:
    login_time:
      critical: true
      tolerated: 1.5
"""


def with_metrics(**metrics: Any) -> dict[str, Any]:
    return ONE | {"limits": {"metrics": metrics}}


def test_a_strategy_without_metrics_has_all_of_them() -> None:
    assert parse_spec(ONE).limits.metrics == METRICS


def test_what_is_written_is_taken_and_the_rest_stays() -> None:
    metrics = read(TEXT).spec.limits.metrics
    assert metrics["login_time"] == Metric(use=True, critical=True, tolerated=1.5)
    assert metrics["logins"] == METRICS["logins"]


def test_a_plan_holds_every_metric_written_out() -> None:
    full = full_spec(with_metrics(logins={"tolerated": 2}))
    assert full["limits"]["metrics"]["logins"] == {"use": True, "critical": True, "tolerated": 2.0}
    assert set(full["limits"]["metrics"]) == set(METRICS)
    assert full_spec(full) == full


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("login_time:", "login_tim:", "Line 7: There is no metric 'login_tim'; there are logins, session_errors"),
        ("tolerated: 1.5", "tolerated: 0.5", "Line 9: tolerated must be a number from 1 to 100"),
        ("tolerated: 1.5", "tolerated: 'much'", "Line 9: tolerated must be"),
        ("critical: true", "critical: 1", "Line 8: critical must be true or false, and is 1."),
        ("critical: true", "kritical: true", "Line 8: login_time has fields that nobody reads: kritical."),
        ("tolerated: 1.5", "use: false", "Line 9: login_time is critical and not used"),
        ("login_time:", "logins: 3\n    login_time:", "Line 7: logins is a list of fields"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, says: str) -> None:
    with pytest.raises(TextError) as wrong:
        read(TEXT.replace(old, new))
    assert says in str(wrong.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, []], ids=repr)
def test_a_tolerance_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(SpecError, match="tolerated"):
        parse_spec(with_metrics(logins={"tolerated": value}))


def test_what_is_compared_is_read_and_written_out() -> None:
    assert parse_spec(ONE).limits.compare == "best"
    assert full_spec(ONE)["compare"] == "best"
    assert read(TEXT + "compare: control\n").spec.limits.compare == "control"
    with pytest.raises(TextError, match="Line 10: compare must be one of best, slots, control, past, and is 'moon'"):
        read(TEXT + "compare: moon\n")
    for compare, where in (("past", "in the same hour of other weeks"), ("control", "on other gateways of the pool")):
        assert f"Worse than {where} beyond chance" in limits_say(parse_spec(ONE | {"compare": compare}))


def test_those_who_approve_read_what_fails_and_what_asks() -> None:
    said = limits_say(parse_spec(ONE))
    assert (
        "Worse than on the old slot beyond chance: users' failed logins (×3) fail the wave. These ask a person" in said
    )
    assert "login time (×1.2)" in said
    unused = with_metrics(**{name: {"use": False, "critical": False} for name in METRICS})
    assert limits_say(parse_spec(unused)).endswith("no restart of the new release.")


def test_sources_are_named_or_whoever_is_there_counts() -> None:
    assert parse_spec(ONE).limits.sources == ()
    named = parse_spec(ONE | {"sources": ["prometheus", "gateway"]})
    assert named.limits.sources == ("gateway", "prometheus")
    assert "Only what the gateways and Prometheus say counts" in limits_say(named)
    wrong: tuple[Any, ...] = ("probes", ["moon"], ["probes", "probes"], [{}])
    for bad in wrong:
        with pytest.raises(SpecError, match="sources lists some of gateway, probes, prometheus, each once"):
            parse_spec(ONE | {"sources": bad})
