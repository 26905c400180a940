"""Figures: what the login probes of a wave said, new release against old. plotly.py builds them, the browser gets JSON.

Colours are not in here: a part says what it is (`meta`, `name`), and static/js/charts.js gives it the theme's colour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

POINTS = 600  # of one line; more cannot be seen and cost the phone
TICKS = [
    {"dtickrange": [None, 59_999], "value": "%H:%M:%S"},  # ms between two ticks
    {"dtickrange": [60_000, None], "value": "%H:%M"},
]
ROLLING = 20  # probes that one point of a line looks back on


@dataclass(frozen=True)
class Probe:
    """One login probe: when, on which side, whether it came through."""

    at: datetime
    canary: bool
    ok: bool


@dataclass(frozen=True)
class Mark:
    """A moment at which the share of new clients changed."""

    at: datetime
    say: str


@dataclass(frozen=True)
class Evidence:
    """What the chart of one wave shows. `limit` is the least share of logins that must succeed, 0…1."""

    wave: int
    canary: str  # release names
    control: str
    limit: float
    probes: Sequence[Probe]
    marks: Sequence[Mark]


def rolling(probes: Iterable[Probe]) -> list[tuple[datetime, float]]:
    """Return (time, percent that succeeded among the last ROLLING probes), thinned to POINTS; the last is kept."""
    last: deque[bool] = deque(maxlen=ROLLING)
    line = []
    for probe in probes:
        last.append(probe.ok)
        line.append((probe.at, round(100 * sum(last) / len(last), 2)))
    every = -(-len(line) // POINTS) or 1
    return line[::-1][::every][::-1]


def sides(evidence: Evidence) -> tuple[list[Probe], list[Probe]]:
    """The probes on the new and on the old release, in time order."""
    ordered = sorted(evidence.probes, key=lambda probe: probe.at)
    return [probe for probe in ordered if probe.canary], [probe for probe in ordered if not probe.canary]


def say(evidence: Evidence) -> str:
    """The chart in one sentence, for who does not see it."""
    new, old = sides(evidence)
    if not new and not old:
        return "No login was probed yet."
    said = [f"{share(side)} on {name}" for side, name in ((new, evidence.canary), (old, evidence.control)) if side]
    return f"Logins that succeed: {', '.join(said)}; the limit is {100 * evidence.limit:g} %."


def share(probes: Sequence[Probe]) -> str:
    return f"{100 * sum(probe.ok for probe in probes) / len(probes):.1f} % of {len(probes)}"


def figure(evidence: Evidence) -> dict[str, Any]:
    """Return the figure as plotly.js takes it."""
    new, old = (rolling(side) for side in sides(evidence))
    drawn = go.Figure()
    for line, tone, name in ((old, "control", evidence.control), (new, "canary", evidence.canary)):
        drawn.add_scatter(
            x=[at.isoformat() for at, _ in line],
            y=[value for _, value in line],
            name=name,
            mode="lines",
            meta={"tone": tone},
            line={"width": 2.5 if tone == "canary" else 2, "dash": "solid" if tone == "canary" else "dot"},
            hovertemplate="%{y:.1f} %",
        )
    values = [value for _, value in (*new, *old)] or [100.0]
    low = min(100 * evidence.limit, *values)
    layout(drawn, low)
    percent_axis(drawn, low)
    limit_line(drawn, evidence, low)
    name_ends(drawn, [(new, "canary", evidence.canary), (old, "control", evidence.control)], low)
    if moments := [at for at, _ in (*new, *old)]:
        drawn.update_xaxes(range=[min(moments).isoformat(), max(moments).isoformat()])
    for turn, mark in enumerate(evidence.marks):
        drawn.add_vline(x=mark.at.isoformat(), line={"width": 1, "dash": "dot"}, name="mark")
        drawn.add_annotation(
            **{
                "x": mark.at.isoformat(),
                "y": 0.1 * (turn % 2),
                "yref": "paper",
                "text": mark.say,
                "name": "mark",
                "xshift": 4,
            },
            **{"xanchor": "left", "yanchor": "bottom", "showarrow": False},
        )
    made: dict[str, Any] = drawn.to_plotly_json()
    made["layout"].pop("template", None)
    return {"data": list(made["data"]), "layout": made["layout"]}


def layout(drawn: go.Figure, low: float) -> None:
    room = max(1.0, (100 - low) * 0.12)
    drawn.update_layout(
        template=None,
        dragmode=False,
        showlegend=False,
        hovermode="x unified",
        uirevision="kept",
        margin={"l": 48, "r": 84, "t": 8, "b": 28},
        xaxis={"type": "date", "fixedrange": True, "tickformatstops": TICKS, "nticks": 5, "showgrid": False},
        yaxis={"range": [low - room, 100 + room], "fixedrange": True},
    )


def percent_axis(drawn: go.Figure, low: float) -> None:
    at = ticks(low)
    drawn.update_yaxes(tickvals=at, ticktext=[f"{value:g} %" for value in at])


def ticks(low: float) -> list[float]:
    """At most six round percentages from 100 down to `low`; above 100 there is nothing."""
    every = next(size for size in (0.5, 1, 2, 5, 10, 20) if (100 - low) / size <= 5)
    return [100 - every * turn for turn in range(int((100 - low) / every) + 1)]


def limit_line(drawn: go.Figure, evidence: Evidence, low: float) -> None:
    value = 100 * evidence.limit
    # Where the scale is coarse the lines lie just above the limit: its name goes below.
    side = "bottom" if value - low < 5 else "top"
    drawn.add_hline(y=value, line={"width": 1.5, "dash": "dash"}, name="limit")
    drawn.add_annotation(
        **{"x": 0, "xref": "paper", "xanchor": "left", "y": value, "yanchor": side, "showarrow": False},
        **{"text": f"limit {value:g} %", "name": "limit", "xshift": 4},
    )


def name_ends(drawn: go.Figure, lines: Sequence[tuple[list[tuple[datetime, float]], str, str]], low: float) -> None:
    """Write each line's name where it ends; names that would lie on each other are set apart."""
    ends = [(line[-1], tone, name) for line, tone, name in lines if line]
    values = [value for (_, value), _, _ in ends]
    close = len(ends) == 2 and abs(values[0] - values[1]) < (100 - low) * 0.15 + 0.2
    shift = {"canary": 0, "control": 0}
    if close:
        above = "control" if values[0] > values[1] else "canary"
        shift = {tone: 9 if tone == above else -9 for tone in shift}
    latest = max((at for (at, _), _, _ in ends), default=None)
    for (_, value), tone, name in ends:
        drawn.add_annotation(
            **{"x": latest.isoformat() if latest else 0, "y": value, "xanchor": "left", "showarrow": False},
            **{"text": name, "name": tone, "xshift": 6, "yshift": shift[tone]},
        )


def table(evidence: Evidence, rows: int = 30) -> list[dict[str, Any]]:
    """The same as numbers: at most `rows` moments with the share on either side, "" where none was probed."""
    new, old = (rolling(side) for side in sides(evidence))
    moments = sorted({at for at, _ in (*new, *old)})
    every = -(-len(moments) // rows) or 1
    return [{"at": at, "canary": _at(new, at), "control": _at(old, at)} for at in moments[::-1][::every][::-1]]


def _at(line: Sequence[tuple[datetime, float]], moment: datetime) -> str:
    known = [value for at, value in line if at <= moment]
    return f"{known[-1]:.1f} %" if known else ""
