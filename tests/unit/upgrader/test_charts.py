"""The figure of a wave: bounded, named, and the same in words."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.unit.upgrader.pictures import NOW
from upgrader.charts import POINTS, Evidence, Mark, Probe, figure, rolling, say, table, ticks


def evidence(number: int, bad: int = 0) -> Evidence:
    """`number` probes on each side, 5 s apart; the last `bad` on the new release failed."""
    probes = [
        Probe(NOW + timedelta(seconds=5 * turn), side, ok=not (side and turn >= number - bad))
        for turn in range(number)
        for side in (True, False)
    ]
    return Evidence(2, "1.3.0-2", "1.1.6-2", 0.98, probes, [Mark(NOW, "25 %")])


def test_line_is_a_rolling_share() -> None:
    line = rolling(probe for probe in evidence(40, bad=5).probes if probe.canary)
    assert line[0][1] == 100.0
    assert line[-1] == (NOW + timedelta(seconds=195), 75.0)  # 5 of the last 20 failed


def test_points_are_capped_and_the_last_is_kept() -> None:
    many = [Probe(NOW + timedelta(seconds=turn), True, ok=True) for turn in range(5000)]
    line = rolling(many)
    assert len(line) <= POINTS
    assert line[-1][0] == many[-1].at


def test_figure_carries_meanings_not_colours() -> None:
    drawn = figure(evidence(40, bad=5))
    assert [trace["meta"]["tone"] for trace in drawn["data"]] == ["control", "canary"]
    assert {shape["name"] for shape in drawn["layout"]["shapes"]} == {"limit", "mark"}
    assert {note["name"] for note in drawn["layout"]["annotations"]} == {"limit", "mark", "canary", "control"}
    assert drawn["layout"]["dragmode"] is False
    assert "#" not in json.dumps(drawn)


def test_nothing_probed() -> None:
    empty = Evidence(1, "1.3.0-2", "1.1.6-2", 0.98, [], [])
    assert say(empty) == "No login was probed yet."
    assert table(empty) == []
    json.dumps(figure(empty))


def test_sentence_and_table_say_the_same() -> None:
    seen = evidence(40, bad=4)
    assert say(seen) == "Logins that succeed: 90.0 % of 40 on 1.3.0-2, 100.0 % of 40 on 1.1.6-2; the limit is 98 %."
    assert table(seen)[-1]["canary"] == "80.0 %"
    assert len(table(seen)) <= 30


def test_ticks_are_few_and_round() -> None:
    assert ticks(98) == [100, 99.5, 99, 98.5, 98]
    assert ticks(60) == [100, 90, 80, 70, 60]
    assert len(ticks(0)) == 6
