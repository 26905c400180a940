"""What Prometheus is asked and what it answers."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.prometheus import promql


def answer(*rows: tuple[dict[str, str], str], kind: str = "vector") -> dict[str, Any]:
    result = [{"metric": metric, "value": [1_795_460_400, value]} for metric, value in rows]
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def test_a_query_names_the_gateways_as_they_are_and_nothing_else() -> None:
    made = promql.query(promql.METRICS["sessions"].query, label="instance", names=["fra-gw.01", "10.0.0.1"])
    assert made == (
        'sum by (instance) (vpn_active_sessions{instance=~"(?:fra\\\\-gw\\\\.01|10\\\\.0\\\\.0\\\\.1)(?::[0-9]+)?"})'
    )


@pytest.mark.parametrize("key", promql.METRICS)
def test_every_query_is_about_the_gateways_alone(key: str) -> None:
    text = promql.METRICS[key].query
    assert text.count("{label}=~") == text.count("{gateway}") >= 1
    assert "{label}" not in promql.query(text, label="instance", names=["a"])


def test_values_are_read_and_what_is_none_is_left_out() -> None:
    rows = [({"instance": "a:9100"}, "1.5"), ({"instance": "b"}, "NaN"), ({"instance": "c"}, "+Inf"), ({}, "3")]
    assert promql.read(answer(*rows), label="instance") == {"a:9100": 1.5}
    broken = {"status": "success", "data": {"resultType": "vector", "result": [7, {"metric": {}}, {"value": 1}]}}
    assert promql.read(broken, label="instance") == {}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"status": "error", "error": "parse error"}, "it refused the query: parse error"),
        ([], "it sent no answer of Prometheus"),
        ({"status": "success"}, "the query gives no vector"),
        (answer(kind="matrix"), "the query gives no vector"),
    ],
)
def test_what_is_no_vector_is_said(said: object, why: str) -> None:
    with pytest.raises(promql.BadAnswer, match=why):
        promql.read(said, label="instance")


def test_a_gateway_is_known_by_name_or_address_with_a_port_or_without() -> None:
    names = {"fra-gw-01": 1, "198.51.100.7": 2, "2001:db8::7": 3}
    found = {"fra-gw-01:9100": 1.0, "198.51.100.7": 2.0, "[2001:db8::7]:9100": 3.0, "other:9100": 4.0}
    assert promql.of_gateways(found, names) == {1: 1.0, 2: 2.0, 3: 3.0}
    assert promql.of_gateways({"2001:db8::7": 5.0}, names) == {3: 5.0}
