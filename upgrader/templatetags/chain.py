"""For the evidence of a rollout: numbers as they were kept."""

from __future__ import annotations

import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def pretty(value: Any) -> str:
    """JSON, a line a number."""
    return json.dumps(value, indent=1, ensure_ascii=False, default=str, sort_keys=True)


@register.filter
def words(state: str) -> str:
    """A state as people read it."""
    return state.replace("_", " ")


@register.filter
def asked_for(kind: str) -> str:
    """What a request asks for."""
    known = {"rollout.start": "To start", "rollout.rollback": "To roll back", "drain.cut": "To cut users"}
    return known.get(kind, kind)
