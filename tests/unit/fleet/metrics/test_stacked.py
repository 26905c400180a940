"""Sides against each other: shares with what chance leaves open, means with their range, one axis, limits and marks."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.metrics import bands, stacked
from fleet.metrics.bands import PANELS, Bucket
from fleet.metrics.stacked import Mark, Stack, Told

T = 1_795_000_000


def bucket(at: int, **values: float | None) -> Bucket:
    known = {"logins": 9.0, "failures": 1.0, "errors": 0.0, "handshake_ms": 20.0, "handshake_ms_low": 18.0}
    return Bucket(
        at, {**known, "handshake_ms_high": 23.0, "rtt_ms": 40.0, "rss_bytes": 2.0**26, "users": 7.0, **values}
    )


def stack(*sides: list[Bucket], **columns: Any) -> Stack:
    told = [
        Told(f"r{n}", tone, found) for n, (tone, found) in enumerate(zip(("canary", "control"), sides, strict=False))
    ]
    return Stack(told, T, T + 3600, 5, **columns)


def named(figure: dict[str, Any], name: str, row: int) -> dict[str, Any]:
    axis = f"y{row + 1}" if row else "y"
    return next(one for one in figure["data"] if one.get("name") == name and one["yaxis"] == axis)


def test_plotly_knows_every_word_of_the_figure() -> None:
    side = [bucket(T + 5 * n) for n in range(30)]
    told = stacked.whole(
        stack(side, side, marks=[Mark(T + 60, "25 %")], tolerated={"logins": 3.0}, alarms={"rtt": 9.0})
    )
    figure = told["figure"]
    go.Figure({"data": figure["data"], "layout": figure["layout"]})
    assert [len(times) for times in figure["times"]] == [30, 30]
    assert {len(trace["y"]) for trace in figure["data"]} == {30}
    assert figure["layout"]["shapes"][0]["x0"] == 1000 * (T + 60)


def test_a_line_is_what_the_table_and_the_sentence_say() -> None:
    new, old = [bucket(T + 5 * n, handshake_ms=30.0) for n in range(30)], [bucket(T + 5 * n) for n in range(30)]
    made = stack(new, old)
    figure = stacked.whole(made)["figure"]
    assert named(figure, "r0", 2)["y"][-1] == 30.0
    assert named(figure, "r1", 0)["y"][-1] == 10.0
    rows = stacked.table(made)
    assert [row.cells[:3] for row in rows if row.side == "r0"][0] == ("10.0 %", "0.0 %", "30.0 ms")
    assert "Handshake: 30.0 ms on r0, 20.0 ms on r1." in stacked.whole(made)["say"]


def test_the_table_rounds_as_the_chart_does() -> None:
    made = stack([bucket(T, handshake_ms=24.8499)])
    assert named(stacked.whole(made)["figure"], "r0", 2)["y"] == [24.85]
    assert stacked.table(made)[0].cells[2] == f"{24.85:.1f} ms"


def test_a_limit_moves_with_the_control_and_is_none_over_nothing() -> None:
    old = [bucket(T, failures=0.0), *(bucket(T + 400 + 5 * n) for n in range(10))]
    figure = stacked.whole(stack([], old, tolerated={"logins": 3.0}))["figure"]
    line = next(trace for trace in figure["data"] if trace["meta"]["tone"] == "limit")
    assert (line["y"][0], line["y"][-1]) == (None, 30.0)


def test_a_rule_that_calls_people_is_a_line_that_stays() -> None:
    layout = stacked.whole(stack([bucket(T)], alarms={"handshake": 250.0}))["figure"]["layout"]
    (line,) = layout["shapes"]
    assert (line["yref"], line["y0"], line["y1"], line["name"]) == ("y3", 250.0, 250.0, "limit")
    assert "alert above 250 ms" in [note["text"] for note in layout["annotations"]]


def test_where_nothing_was_measured_the_line_breaks() -> None:
    side = [bucket(T), bucket(T + 5), bucket(T + 60)]
    figure = stacked.whole(stack(side))["figure"]
    assert [at // 1000 - T for at in figure["times"][0]] == [0, 5, 10, 60]
    assert named(figure, "r0", 5)["y"] == [7.0, 7.0, None, 7.0]


def test_what_came_since_is_the_end_of_the_whole() -> None:
    side = [bucket(T + 5 * n, failures=float(n % 3)) for n in range(200)]
    whole = stacked.whole(stack(side))["figure"]
    part = stacked.whole(stack(side[100:]), begin=T + 5 * 170)["figure"]
    assert part["times"][0] == whole["times"][0][170:]
    assert named(part, "r0", 0)["y"] == named(whole, "r0", 0)["y"][170:]


def test_nothing_measured_is_said() -> None:
    told = stacked.whole(stack([], []))
    assert (told["empty"], told["say"]) == (True, "Nothing was measured yet.")
    assert stacked.table(stack([])) == []


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_band_holds_its_share(hits: int, others: int) -> None:
    low, high = bands.wilson(hits, hits + others)
    assert 0.0 <= low <= hits / (hits + others) <= high <= 1.0
    assert high > low


def within(side: list[Bucket], seconds: int) -> list[float]:
    """What is known of the last `seconds`."""
    known = [(one.at, one.values["rtt_ms"]) for one in side]
    return [value for at, value in known if value is not None and at > side[-1].at - seconds]


@given(st.lists(st.tuples(st.integers(1, 120), st.none() | st.integers(0, 9)), min_size=1, max_size=60))
def test_a_window_holds_what_it_should(steps: list[tuple[int, int | None]]) -> None:
    at, side = T, list[Bucket]()
    for step, failures in steps:
        at += step
        side.append(Bucket(at, {"failures": failures, "logins": failures and 10.0, "rtt_ms": failures}))
    shares, means = PANELS["failures"].line(side), PANELS["rtt"].line(side)
    for place, bucket in enumerate(side):
        far, near = (within(side[: place + 1], seconds) for seconds in (bands.ROLLING, bands.SMOOTH))
        tries = sum(value + (10 if value else 0) for value in far)
        if bucket.values["failures"] is None:
            assert shares[place].value is None is means[place].value
        else:
            assert shares[place].value == (pytest.approx(100 * sum(far) / tries) if tries else None)
            assert means[place].value == pytest.approx(sum(near) / len(near))
            assert (means[place].low, means[place].high) == (min(far), max(far))


@pytest.mark.parametrize("panel", PANELS)
def test_what_is_not_known_is_not_nothing(panel: str) -> None:
    (point,) = PANELS[panel].line([Bucket(T, {})])
    assert (point.value, point.low, point.high) == (None, None, None)
    assert PANELS[panel].said(None) == "–"
