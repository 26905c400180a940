"""For the page that compares two releases."""

from __future__ import annotations

from typing import Any

from django import template

from releases.compared import beside
from releases.models import Release

register = template.Library()


@register.simple_tag
def tests_beside(old: Release, new: Release) -> dict[str, Any]:
    return beside(old, new)
