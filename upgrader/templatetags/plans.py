"""For pages that show a plan: what it says, what it looks like, and what changed since it was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from upgrader.changed import Changed, changed
from upgrader.models import Rollout
from upgrader.picture import Picture, WaveRow
from upgrader.plan_shown import Shown, shown
from upgrader.until import Until, of_plan
from upgrader.why import begins

register = template.Library()


@register.simple_tag
def changed_since(rollout: Rollout) -> Changed | None:
    return changed(rollout)


@register.simple_tag
def shown_plan(plan: Mapping[str, Any]) -> Shown:
    return shown(plan)


@register.simple_tag
def rollback_until(plan: Mapping[str, Any]) -> Until:
    return of_plan(plan)


@register.simple_tag
def wave_begins(seen: Picture, wave: WaveRow) -> str:
    return begins(seen, wave)
