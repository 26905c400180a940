"""Whether the host's own firewall lets the translated port in."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.ocgate.firewall import input_blocks


def chain(**changed: Any) -> dict[str, Any]:
    return {
        "chain": {"family": "inet", "table": "filter", "name": "input", "hook": "input", "policy": "drop"} | changed
    }


def rule(right: Any, verdict: str = "accept") -> dict[str, Any]:
    match = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": right}}
    return {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [match, {verdict: None}]}}


@pytest.mark.parametrize(
    "listing",
    [
        [],
        [chain(policy="accept")],
        [chain(hook="forward")],
        [chain(table="handover"), rule(443)],
        [chain(), rule(4443)],
        [chain(), rule({"set": [443, 4443]})],
        [chain(), rule({"range": [4000, 5000]})],
        [chain(), rule({"set": [{"range": [4000, 5000]}]})],
        [chain(), rule("@services")],
        [chain(), rule(443, "jump")],
    ],
)
def test_it_is_let_in_or_cannot_be_judged(listing: list[dict[str, Any]]) -> None:
    assert not input_blocks(listing, port=4443)


@pytest.mark.parametrize("rules", [[], [rule(443)], [rule(4443, "drop")], [rule({"range": [1, 1024]})]])
def test_it_is_not_let_in(rules: list[dict[str, Any]]) -> None:
    assert input_blocks([chain(), *rules], port=4443)
