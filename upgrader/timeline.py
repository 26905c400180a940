"""Every event of one rollout, page by page, for all who may see it. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from approvals import record_filter, record_index
from approvals.names import told
from approvals.record_filter import EventFilter
from approvals.story import tell
from upgrader.models import Rollout, Upgrade
from upgrader.pages import SAID

PAGE = 100
CHOICES: dict[str, str] = {
    "": "everything",
    "approval.": "approvals",
    "rollout.": "moves of the rollout",
    "wave.": "moves of waves",
    "upgrade.": "moves of gateways",
    "step.": "steps",
}
GATEWAYS_MOST = 500  # names that are offered


def timeline(rollout: Rollout, query: Mapping[str, str], *, before: int, after: int) -> dict[str, Any]:
    """What upgrader/_timeline_now.html reads. `query`: gateway, verb, actor, since, until, zone."""
    record_index.catch_up()
    asked = replace(EventFilter.of(query), rollout=str(rollout.pk), subject="", release="")
    page = record_filter.page(asked, most=PAGE, before=before, after=after)
    called = names(rollout)
    mine = {name: value for name, value in asked.said.items() if name != "rollout"}
    return {
        "rollout": rollout,
        "asked": asked,
        "query": replace(asked, rollout="").query,
        "filtered": bool(mine),
        "page": page,
        "log": told(tell(event, called, said=SAID) for event in page.events),
        "newest": not before and not page.newer,
        "choices": CHOICES,
        "gateways": list(_gateways(rollout)),
    }


def names(rollout: Rollout) -> dict[str, str]:
    waves = rollout.waves.values_list("pk", "number")
    return {f"wave:{pk}": f"wave {number}" for pk, number in waves} | {f"rollout:{rollout.pk}": "the rollout"}


def _gateways(rollout: Rollout) -> list[str]:
    rows = Upgrade.objects.filter(wave__rollout=rollout).order_by("gateway__name")
    return list(rows.values_list("gateway__name", flat=True).distinct()[:GATEWAYS_MOST])
