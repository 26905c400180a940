"""Figures of one gateway's readings: a line a slot, one time axis in all. Colours are the matter of charts.js."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go

from fleet.metrics.series import Point, Series
from fleet.metrics.stacked import Mark, note, shape

GAP_TIMES = 3  # so many steps without a point break the line: nothing was measured there
ROOM = 1.4  # above the highest value, for what the marks say
TONES = ("canary", "control")
DAY = 24 * 3600


@dataclass(frozen=True)
class Panel:
    """One chart. `values`: what it draws of each point, None where it is not known; `form`: how a value is written."""

    title: str
    unit: str
    values: Callable[[Sequence[Point]], list[float | None]]
    form: str = "{:.1f}"

    def said(self, value: float | None) -> str:
        return "–" if value is None else f"{self.form.format(value)} {self.unit}".strip()


def felt(column: str, divisor: float = 1.0) -> Callable[[Sequence[Point]], list[float | None]]:
    """A column's mean in other units."""

    def values(points: Sequence[Point]) -> list[float | None]:
        found = [point.values[column] for point in points]
        return [None if value is None else float(value) / divisor for value in found]

    return values


@dataclass(frozen=True)
class Range:
    """What a page looks back on. Epoch seconds."""

    since: float
    until: float


def name_of(key: tuple[int, str]) -> str:
    slot, release = key
    return " · ".join(filter(None, [f"slot {slot}" if slot else "", release])) or "slot 0"


def newest_first(found: Series) -> list[tuple[int, str]]:
    """Slots in the order in which their lines end, then by when they began: the newest release first."""
    known = [key for key, points in found.items() if points]
    return sorted(known, key=lambda key: (-found[key][-1].at // 60, -found[key][0].at, key))


def line(panel: Panel, points: Sequence[Point]) -> list[tuple[str, float | None]]:
    """(time in ISO 8601, value), with an empty place where nothing was measured."""
    steps = [later.at - point.at for point, later in zip(points, points[1:], strict=False)]
    usual = sorted(steps)[len(steps) // 2] if steps else 0
    drawn: list[tuple[str, float | None]] = []
    values = panel.values(points)
    for place, point in enumerate(points):
        if place and steps[place - 1] > GAP_TIMES * usual:
            drawn.append((iso(points[place - 1].at + usual), None))
        value = values[place]
        drawn.append((iso(point.at), None if value is None else round(value, 2)))
    return drawn


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def figure(panel: Panel, found: Series, shown: Range, *, marks: Sequence[Mark] = ()) -> dict[str, Any]:
    """Return the figure as plotly.js takes it."""
    drawn = go.Figure()
    for place, key in enumerate(newest_first(found)):
        points = line(panel, found[key])
        tone = TONES[min(place, len(TONES) - 1)]
        drawn.add_scatter(
            x=[at for at, _ in points],
            y=[value for _, value in points],
            name=name_of(key),
            mode="lines",
            connectgaps=False,
            meta={"tone": tone},
            line={"width": 2.5 if place == 0 else 2, "dash": ("solid", "dot", "dash")[min(place, 2)]},
            hovertemplate=f"%{{y:.1f}} {panel.unit}",
        )
    drawn.update_layout(
        template=None,
        dragmode=False,
        hovermode="x unified",
        uirevision="kept",
        margin={"l": 48, "r": 12, "t": 24, "b": 28},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        showlegend=True,
        xaxis={"type": "date", "fixedrange": True, "showgrid": False, "nticks": 5},
        yaxis={"fixedrange": True, "rangemode": "tozero", "nticks": 5},
    )
    ticks = "%H:%M" if shown.until - shown.since <= DAY else "%d %b"
    drawn.update_xaxes(range=[iso(shown.since), iso(shown.until)], tickformat=ticks)
    for turn, mark in enumerate(marks):
        drawn.add_shape(**shape(mark))
        drawn.add_annotation(**note(mark, turn))
    highest = max((value for trace in drawn.data for value in trace.y if value is not None), default=0)
    if marks and highest > 0:
        drawn.update_yaxes(range=[0, ROOM * highest])
    made: dict[str, Any] = drawn.to_plotly_json()
    made["layout"].pop("template", None)
    return {"data": list(made["data"]), "layout": made["layout"]}


def say(panel: Panel, found: Series) -> str:
    """The chart in one sentence, for who does not see it."""
    told = [
        f"{panel.said(last)} on {name_of(key)}"
        for key in newest_first(found)
        if (last := ends(panel, found[key])) is not None
    ]
    return f"{panel.title}: {', '.join(told)}." if told else f"{panel.title}: nothing was measured."


def ends(panel: Panel, points: Sequence[Point]) -> float | None:
    """The last value that is known."""
    return next((value for value in reversed(panel.values(points)) if value is not None), None)
