"""Figures of a stress test's cell: what both sides measured. plotly.py builds them, charts.js colours them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

MIB = 1024 * 1024
AS_SHARES = 20  # so many pairs and more are shown as shares; fewer one by one
UNITS: Mapping[str, tuple[str, float]] = {
    "time to log in": ("ms", 1),
    "login rate": ("ms", 1),
    "throughput": ("s", 1),
    "CPU of a session": ("ms", 1),
    "memory of a session": ("MiB", MIB),
    "memory growth": ("MiB", MIB),
    "open files": ("files", 1),
}
"""Test → the unit that its chart shows, and what a measured value is divided by."""


def has_curve(numbers: Mapping[str, Any]) -> bool:
    """Whether a cell's numbers hold measurements of both sides."""
    return bool(numbers.get("new")) and bool(numbers.get("old"))


def lines(test: str, numbers: Mapping[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """The curve of each side. Many pairs: the share of measurements (in percent) up to a value. Growth: value by
    logins. Else: value by round. Pure."""
    divisor = UNITS.get(test, ("", 1))[1]
    sides: dict[str, Sequence[float]] = {side: [value / divisor for value in numbers[side]] for side in ("old", "new")}
    if shares(numbers):
        return {
            side: [(value, 100 * (rank + 1) / len(values)) for rank, value in enumerate(sorted(values))]
            for side, values in sides.items()
        }
    across = numbers.get("x") or list(range(1, len(numbers["new"]) + 1))
    return {side: list(zip(across, values, strict=True)) for side, values in sides.items()}


def shares(numbers: Mapping[str, Any]) -> bool:
    return numbers.get("kind") == "ratio" and len(numbers["new"]) >= AS_SHARES


def titles(test: str, numbers: Mapping[str, Any]) -> tuple[str, str]:
    """What the axes show: across, up."""
    unit = UNITS.get(test, ("", 1))[0]
    if shares(numbers):
        return unit, "% up to here"
    return ("logins" if numbers.get("x") else "round"), unit


def figure(test: str, numbers: Mapping[str, Any], *, new: str, old: str) -> dict[str, Any]:
    """Return the figure as plotly.js takes it."""
    drawn, curves = go.Figure(), lines(test, numbers)
    for side, tone, name in (("old", "control", old), ("new", "canary", new)):
        drawn.add_scatter(
            x=[x for x, _ in curves[side]],
            y=[y for _, y in curves[side]],
            name=name,
            mode="lines",
            meta={"tone": tone},
            line={"width": 2.5 if tone == "canary" else 2, "dash": "solid" if tone == "canary" else "dot"},
            hovertemplate="%{y:.3~g}",
        )
    across, up = titles(test, numbers)
    drawn.update_layout(
        template=None,
        dragmode=False,
        hovermode="x unified",
        margin={"l": 56, "r": 16, "t": 32, "b": 44},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"fixedrange": True, "showgrid": False, "title": {"text": across}, "nticks": 6},
        yaxis={"fixedrange": True, "title": {"text": up}, "rangemode": "tozero", "nticks": 6},
    )
    made: dict[str, Any] = drawn.to_plotly_json()
    made["layout"].pop("template", None)
    return {"data": list(made["data"]), "layout": made["layout"]}
