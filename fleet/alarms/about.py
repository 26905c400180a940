"""What an alert is about, whatever its kind: for silences, for contacts and for messages. Pure but for its model."""

from __future__ import annotations

from fleet.alarms.ladder import About
from fleet.alerts import ALARM
from fleet.drift import KIND as DRIFT
from fleet.drift import PARTS
from fleet.models import Alert

APPROVAL = "approval"  # somebody was asked: at first it may wait, later the next are told
WARNINGS = frozenset({DRIFT, "peers", "quiet", "copies"})
"""Kinds that may wait until somebody is at work. One that nobody has put here may not."""


def about(alert: Alert) -> About:
    names = alert.details.get("gateways") or ([alert.gateway.name] if alert.gateway else [])
    return About(what_of(alert), pool_of(alert), rollout_of(alert), names)


def what_of(alert: Alert) -> str:
    return str(alert.details.get("rule") or alert.kind) if alert.kind == ALARM else alert.kind


def pool_of(alert: Alert) -> int | None:
    """None: it is about the fleet."""
    return alert.pool_id or (alert.gateway.pool_id if alert.gateway else None)


def rollout_of(alert: Alert) -> int | None:
    kind, _, number = alert.subject.partition(":")
    if kind == "rollout" and number.isdigit():
        return int(number)
    told = alert.details.get("rollout")
    return told if isinstance(told, int) else None


def is_critical(alert: Alert) -> bool:
    if alert.kind == ALARM:
        return bool(alert.details.get("severity") != "warning")
    if alert.kind == APPROVAL:
        return bool(alert.details.get("urgent"))
    return alert.kind not in WARNINGS


def title(alert: Alert) -> str:
    """What it is about, for people."""
    if alert.kind == DRIFT and alert.gateway:
        return f"{alert.gateway.name}: {PARTS.get(alert.code, alert.code)}"
    return str(alert.details.get("about") or (alert.gateway.name if alert.gateway else alert.kind))
