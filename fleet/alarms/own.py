"""Rules that operators wrote themselves: what each is about and what it is called. Reads only."""

from __future__ import annotations

from fleet.alarms.metrics import METRICS, Metric
from fleet.alarms.rules import DEFAULTS, OWN, Shipped
from fleet.models import AlarmRule

WHY = "Written here, for what no shipped rule is about."


def metric_of(code: str) -> Metric | None:
    """What a rule measures; None for what is no rule."""
    if code in DEFAULTS:
        return METRICS[DEFAULTS[code].spec["metric"]]
    spec = spec_of(code)
    return METRICS.get(str(spec.get("metric"))) if spec else None


def spec_of(code: str) -> dict[str, object] | None:
    """The spec of an own rule as it stands anywhere: its metric and title are the same in every pool."""
    row = AlarmRule.objects.filter(code=code, current=True).order_by("pk").first() if code.startswith(OWN) else None
    return row.spec if row and isinstance(row.spec, dict) else None


def shipped(code: str) -> Shipped | None:
    """A rule as pages show it, shipped or written here; None for what is no rule."""
    if code in DEFAULTS:
        return DEFAULTS[code]
    spec = spec_of(code)
    return Shipped(str(spec.get("title") or code), WHY, spec) if spec else None


def titles() -> list[tuple[str, str]]:
    """Code and title of each, for lists to choose from."""
    rows = AlarmRule.objects.filter(code__startswith=OWN, current=True).order_by("code")
    found = {row.code: str(row.spec.get("title") or row.code) for row in rows if isinstance(row.spec, dict)}
    return list(found.items())
