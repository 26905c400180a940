"""For pages that show a plan: what it says, what it looks like, and what changed since it was drawn."""

from __future__ import annotations

from django import template

from upgrader.changed import Changed, changed
from upgrader.models import Rollout

register = template.Library()


@register.simple_tag
def changed_since(rollout: Rollout) -> Changed | None:
    return changed(rollout)
