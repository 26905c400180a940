"""Above which values people are called, where a chart draws the same number in the same unit. Reads only."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.alarms import rule_store
from fleet.metrics.bands import Panel

RULED = {
    **{"login_failures": "failures", "handshake": "handshake", "rtt": "rtt", "memory": "memory"},
    **{"outside_time": "login", "outside_loss": "loss"},
}
"""Metric of a rule → the panel that draws it."""


def of_pool(pool: int, panels: Mapping[str, Panel]) -> dict[str, float]:
    """Panel → the lowest value above which a rule calls people there."""
    found: dict[str, float] = {}
    for rule in rule_store.standing().of(pool):
        panel = RULED.get(rule.metric, "")
        if rule.above and panel in panels and rule.of.unit == panels[panel].unit:
            found[panel] = min(rule.threshold, found.get(panel, rule.threshold))
    return found
