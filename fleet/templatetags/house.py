"""What templates of every app say and draw in the same way: icons, states, times, numbers."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from fleet import diffs, phrases
from fleet.words import Word

register = template.Library()
ICONS = settings.BASE_DIR / "static" / "vendor" / "lucide-1.62.0"


@lru_cache(maxsize=128)
def _strokes(name: str) -> str:
    """The drawing inside one icon's file. The files are ours: pinned, in the repository."""
    drawing = re.search(r"<svg[^>]*>(.*)</svg>", (ICONS / f"{name}.svg").read_text(), re.DOTALL)
    if drawing is None:
        raise ValueError(f"{name}.svg holds no drawing")
    return " ".join(drawing.group(1).split())


@register.simple_tag
def icon(name: str) -> SafeString:
    """One icon, inline, in the colour of the text; the word beside it says the same, so it is hidden from readers."""
    strokes = mark_safe(_strokes(name))  # nosec B308, B703 # noqa: S308 - from our own file, see above
    return format_html(
        '<svg class="icon" viewBox="0 0 24 24" width="16" height="16" aria-hidden="true" focusable="false">{}</svg>',
        strokes,
    )


@register.simple_tag
def pill(word: Word) -> SafeString:
    """A state: icon, word and colour."""
    return format_html('<span class="pill s-{}">{}{}</span>', word.tone, icon(word.icon), word.say)


@register.simple_tag
def moment(at: datetime | None) -> SafeString:
    """A UTC clock time that carries its whole date for machines and on hover."""
    if at is None:
        return SafeString("")
    whole = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(), whole, phrases.clock(at, timezone.now())
    )


@register.simple_tag
def countdown(until: datetime, left: str) -> SafeString:
    """Time that is left; static/js/live.js ticks it."""
    return format_html('<time class="left" data-until="{}" datetime="{}">{}</time>', until.timestamp(), until, left)


@register.filter
def ago(at: datetime) -> str:
    return phrases.ago(at, timezone.now())


@register.filter
def count(number: int, noun: str) -> str:
    """{{ 4|count:"gateway" }} → "4 gateways"."""
    return phrases.count(number, noun)


@register.filter
def short(digest: str) -> str:
    """The first and last letters of a digest, enough to compare by eye."""
    return f"{digest[:6]}…{digest[-6:]}" if len(digest) > 16 else digest


@register.filter
def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


@register.filter
def sentence(text: str) -> str:
    return phrases.sentence(text)


@register.simple_tag
def shares(*parts: Any) -> list[dict[str, float]]:
    """{% shares 21 48 as bars %}: where each part of a bar begins and how wide it is, in percent; nothing is 0 wide.

    A part that is not empty is at least 6 % wide, so that its number can be read.
    """
    numbers = [max(0, int(part or 0)) for part in parts]
    total = sum(numbers)
    if not total:
        return [{"x": 0.0, "width": 0.0, "end": 0.0} for _ in numbers]
    widths = [max(6.0, 100 * number / total) if number else 0.0 for number in numbers]
    scale, x, drawn = 100 / sum(widths), 0.0, []
    for width in widths:
        drawn.append({"x": round(x, 2), "width": round(width * scale, 2), "end": round(x + width * scale, 2)})
        x += width * scale
    return drawn


@register.simple_tag
def diff_lines(diff: str) -> list[diffs.DiffLine]:
    return diffs.diff_lines(diff)


@register.filter
def duration(seconds: float) -> str:
    return phrases.duration(seconds)


@register.filter
def percent(share: float) -> str:
    """0.98 → "98 %"."""
    return f"{100 * share:g} %"
