"""The curves of a cell: shares where there are many pairs, one point a round where there are few."""

from __future__ import annotations

from releases.matrix import charts

MANY = {"kind": "ratio", "new": [float(number) for number in range(30, 0, -1)], "old": [5.0] * 30}
FEW = {"kind": "ratio", "new": [2.0, 1.0], "old": [1.0, 1.0]}
GROWTH = {"kind": "growth", "x": [16, 32], "new": [2.0 * charts.MIB, 3.0 * charts.MIB], "old": [charts.MIB] * 2}


def test_many_pairs_are_shares_up_to_a_value() -> None:
    curve = charts.lines("time to log in", MANY)["new"]
    assert curve == sorted(curve)
    assert (curve[0][0], curve[-1]) == (1.0, (30.0, 100.0))
    assert charts.titles("time to log in", MANY) == ("ms", "% up to here")


def test_few_pairs_are_shown_round_by_round() -> None:
    assert charts.lines("login rate", FEW)["new"] == [(1, 2.0), (2, 1.0)]
    assert charts.titles("login rate", FEW) == ("round", "ms")


def test_growth_goes_over_the_logins_in_mebibytes() -> None:
    assert charts.lines("memory growth", GROWTH) == {"old": [(16, 1.0), (32, 1.0)], "new": [(16, 2.0), (32, 3.0)]}
    assert charts.titles("memory growth", GROWTH) == ("logins", "MiB")


def test_every_trace_says_what_it_is() -> None:
    drawn = charts.figure("login rate", FEW, new="1.5.0-1", old="1.3.0-2")
    assert [(trace["name"], trace["meta"]["tone"]) for trace in drawn["data"]] == [
        ("1.3.0-2", "control"),
        ("1.5.0-1", "canary"),
    ]
    assert "template" not in drawn["layout"]


def test_nothing_measured_is_no_curve() -> None:
    assert not charts.has_curve({"ready_ms": 3})
    assert not charts.has_curve({"new": [], "old": []})
