"""Charts below each other on one time axis: a line and its band a side, limits, marks. Pure; colours: charts.js.

The times of a side stand once, in `times`, and each trace says by its `meta` which are its own: a page asks again each
few seconds, and the same 600 times in each of 20 traces would be most of what it gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fleet.metrics.bands import DIGITS, PANELS, Bucket, Drawn, Panel

GAP_TIMES = 3  # so many steps without a reading break the line
GAP = 0.055  # between two charts, of the whole height
DASHES = ("solid", "dot", "dash")
DAY = 24 * 3600
ROWS = 30


@dataclass(frozen=True)
class Mark:
    """A moment that matters: a share, a wave, a way back. `tone`: mark or limit (something went wrong)."""

    at: float
    say: str
    tone: str = "mark"


@dataclass(frozen=True)
class Told:
    """One side with what it is to the eye."""

    name: str
    tone: str
    buckets: Sequence[Bucket]


@dataclass(frozen=True)
class Stack:
    """What is drawn. Epoch seconds. `tolerated`: metric → how many times the control's value a strategy accepts;
    `alarms`: panel → the value above which people are called.
    """

    sides: Sequence[Told]
    since: float
    until: float
    step: int
    marks: Sequence[Mark] = ()
    tolerated: Mapping[str, float] = field(default_factory=dict)
    alarms: Mapping[str, float] = field(default_factory=dict)
    panels: Mapping[str, Panel] = field(default_factory=lambda: PANELS)


def whole(stack: Stack, *, begin: float | None = None) -> dict[str, Any]:
    """Return {"figure": {"data", "layout", "times"}, "say", "empty", "step", "from"} for charts.js.

    `begin`: only what was from there on; who asked puts it behind what he has.
    """
    first = stack.since if begin is None else begin
    sides = [Told(side.name, side.tone, gapped(side.buckets, stack.step)) for side in stack.sides]
    shown = [[place for place, bucket in enumerate(side.buckets) if bucket.at >= first] for side in sides]
    data: list[dict[str, Any]] = []
    said: list[str] = []
    for row, panel in enumerate(stack.panels.values()):
        lines = [panel.line(side.buckets) for side in sides]
        said += say(panel, [(side.name, end(line)) for side, line in zip(sides, lines, strict=True)])
        points = [[line[place] for place in places] for line, places in zip(lines, shown, strict=True)]
        data += traces(panel, row, list(zip(sides, points, strict=True)), tolerated=stack.tolerated)
    times = [[1000 * side.buckets[place].at for place in places] for side, places in zip(sides, shown, strict=True)]
    told = {"figure": {"data": data, "layout": layout(stack), "times": times}, "step": stack.step}
    told["say"] = " ".join(said) or "Nothing was measured yet."
    return {**told, "empty": not any(side.buckets for side in sides), "from": None if begin is None else 1000 * begin}


def gapped(buckets: Sequence[Bucket], step: int) -> list[Bucket]:
    """With an empty place where nothing was measured, so that the line breaks there."""
    made: list[Bucket] = []
    for bucket in buckets:
        if made and bucket.at - made[-1].at > GAP_TIMES * step:
            made.append(Bucket(made[-1].at + step, {}))
        made.append(bucket)
    return made


Side = tuple[Told, list[Drawn]]


def traces(panel: Panel, row: int, sides: Sequence[Side], *, tolerated: Mapping[str, float]) -> list[dict[str, Any]]:
    """The traces of one chart: bands below lines, and the limit that moves with the control."""
    axis = {"xaxis": "x", "yaxis": f"y{row + 1}" if row else "y"}
    common = {**axis, "type": "scatter", "mode": "lines", "connectgaps": False}
    bands, drawn = [], []
    for n, (side, points) in enumerate(sides):
        meta = {"tone": side.tone, "side": n}
        bands += band(points, {**common, "meta": {**meta, "band": True}})
        drawn.append({**common, **line(panel, row, side, n=n), "meta": meta, "y": rounded([p.value for p in points])})
        if side.tone == "control" and panel.limit in tolerated:
            about = {**common, "meta": {"tone": "limit", "side": n}}
            bands.append(limit(points, tolerated[panel.limit], about))
    return [*bands, *reversed(drawn)]


def line(panel: Panel, row: int, side: Told, *, n: int) -> dict[str, Any]:
    """How a side's line looks; the first side is the one that is judged."""
    about = {"name": side.name, "legendgroup": side.name, "showlegend": row == 0}
    hover = f"%{{y:.1f}} {panel.unit}<extra>{panel.title} · {side.name}</extra>"
    return {**about, "line": {"width": 2.5 if n == 0 else 2, "dash": DASHES[min(n, 2)]}, "hovertemplate": hover}


def band(points: Sequence[Drawn], common: Mapping[str, Any]) -> list[dict[str, Any]]:
    quiet = {**common, "hoverinfo": "skip", "showlegend": False, "line": {"width": 0}}
    low, high = rounded([point.low for point in points]), rounded([point.high for point in points])
    return [{**quiet, "y": low}, {**quiet, "y": high, "fill": "tonexty"}]


def limit(points: Sequence[Drawn], times: float, common: Mapping[str, Any]) -> dict[str, Any]:
    # Times nothing is no limit: where the old release had no failure at all the judge looks at chance alone.
    values = rounded([times * point.value if point.value else None for point in points])
    about = {"name": f"tolerated: {times:g} × old", "showlegend": False, "hoverinfo": "skip"}
    return {**common, **about, "line": {"width": 1.5, "dash": "dash"}, "y": values}


def rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, DIGITS) for value in values]


def layout(stack: Stack) -> dict[str, Any]:
    """All charts share `xaxis`; margins are fixed, so that nothing jumps when numbers grow."""
    number = len(stack.panels)
    high = (1 - GAP * (number - 1)) / number
    made: dict[str, Any] = {
        "dragmode": False,
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "uirevision": "kept",
        "margin": {"l": 44, "r": 12, "t": 64, "b": 28, "autoexpand": False},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yref": "container", "yanchor": "top", "traceorder": "reversed"},
        "showlegend": True,
        "xaxis": {
            **{"type": "date", "fixedrange": True, "showgrid": False, "nticks": 5},
            "anchor": "y" if number == 1 else f"y{number}",
            "range": [1000 * stack.since, 1000 * stack.until],
            "tickformat": "%H:%M" if stack.until - stack.since <= DAY else "%d %b",
        },
        "shapes": [shape(mark) for mark in stack.marks],
        "annotations": [title(panel, 1 - n * (high + GAP)) for n, panel in enumerate(stack.panels.values())],
    }
    made["annotations"] += [note(mark, turn) for turn, mark in enumerate(stack.marks)]
    for row, (name, panel) in enumerate(stack.panels.items()):
        if name in stack.alarms:
            of = f"y{row + 1}" if row else "y"
            made["shapes"].append(level(of, stack.alarms[name]))
            made["annotations"].append(level_said(of, panel, stack.alarms[name]))
    for n in range(number):
        top = 1 - n * (high + GAP)
        axis = {"fixedrange": True, "rangemode": "tozero", "nticks": 4, "domain": [max(0.0, top - high), top]}
        made[f"yaxis{n + 1}" if n else "yaxis"] = axis
    return made


def level(axis: str, value: float) -> dict[str, Any]:
    """A limit that does not move."""
    line = {"width": 1, "dash": "longdash"}
    place = {"x0": 0, "x1": 1, "xref": "paper", "y0": value, "y1": value, "yref": axis}
    return {**place, "type": "line", "line": line, "name": "limit"}


def level_said(axis: str, panel: Panel, value: float) -> dict[str, Any]:
    place = {"x": 1, "xref": "paper", "xanchor": "right", "y": value, "yref": axis, "yanchor": "bottom"}
    return {**place, "text": f"alert above {value:g} {panel.unit}".strip(), "name": "limit", "showarrow": False}


def title(panel: Panel, top: float) -> dict[str, Any]:
    text = f"{panel.title}, {panel.unit}" if panel.unit else panel.title
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": top, "yref": "paper", "yanchor": "bottom"}
    return {**place, "text": text, "name": "title", "showarrow": False, "yshift": 1}


def shape(mark: Mark) -> dict[str, Any]:
    at, line = 1000 * mark.at, {"width": 1, "dash": "dot"}
    return {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line, "name": mark.tone}


def note(mark: Mark, turn: int) -> dict[str, Any]:
    """What a mark says, at the top of the first chart; neighbours at different heights."""
    place = {"x": 1000 * mark.at, "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "top", "xshift": 3}
    return {**place, "text": mark.say, "name": mark.tone, "showarrow": False, "yshift": -13 * (turn % 2)}


def say(panel: Panel, ends: Sequence[tuple[str, float | None]]) -> list[str]:
    """One chart in a sentence, for who does not see it; nothing where nothing is known."""
    known = [f"{panel.said(value)} on {name}" for name, value in ends if value is not None]
    return [f"{panel.title}: {', '.join(known)}."] if known else []


def end(line: Sequence[Drawn]) -> float | None:
    """The last value that is known."""
    return next((point.value for point in reversed(line) if point.value is not None), None)


@dataclass(frozen=True)
class Row:
    at: datetime
    side: str
    cells: tuple[str, ...]


def table(stack: Stack, rows: int = ROWS) -> list[Row]:
    """All charts as numbers: at most `rows` moments of each side, the newest first."""
    told = []
    for side in stack.sides:
        shown = [place for place, bucket in enumerate(side.buckets) if bucket.at >= stack.since]
        lines = [(panel, panel.line(side.buckets)) for panel in stack.panels.values()]
        for place in shown[::-1][:: -(-len(shown) // rows) or 1]:
            cells = tuple(panel.said(line[place].value) for panel, line in lines)
            told.append(Row(datetime.fromtimestamp(side.buckets[place].at, UTC), side.name, cells))
    return told
