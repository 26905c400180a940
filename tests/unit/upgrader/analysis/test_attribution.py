"""Which of two changes made more fail: told apart where the cells can, and never guessed where they can't."""

from __future__ import annotations

import random

import pytest

from upgrader.analysis.attribution import Cell, blame

TRIED = 400


def cells(*, first: float = 1.0, second: float = 1.0, hour: float = 1.0, groups: str = "abxn") -> list[Cell]:
    """Before and after on gateways with change one (a), two (b), both (x), neither (n): 1 % fail, times the effects."""
    found = []
    for group in groups:
        one, two = group in "ax", group in "bx"
        rate = 0.01 * (1 + "abxn".index(group)) / 2
        after = rate * hour * (first if one else 1) * (second if two else 1)
        found.append(Cell(group, 0, False, False, 3 * TRIED, 3 * TRIED * rate))
        found.append(Cell(group, 1, one, two, TRIED, TRIED * after))
    return found


@pytest.mark.parametrize(
    ("first", "second", "which"),
    [(8.0, 1.0, "first"), (1.0, 8.0, "second"), (8.0, 8.0, "both"), (1.0, 1.0, "unknown"), (1.2, 1.0, "unknown")],
)
def test_the_change_that_did_it_is_named(first: float, second: float, which: str) -> None:
    assert blame(cells(first=first, second=second)).which == which


def test_a_bad_hour_is_nobodys_fault() -> None:
    assert blame(cells(hour=4.0)).which == "unknown"
    assert blame(cells(hour=4.0, first=6.0)).which == "first"


def test_changes_that_came_to_the_same_gateways_at_once_can_not_be_told_apart() -> None:
    found = blame(cells(first=8.0, groups="xn"))
    assert found.which == "unknown"
    assert found.first.times == pytest.approx(found.second.times)


def test_without_a_gateway_that_was_left_alone_the_hour_may_have_done_it() -> None:
    assert blame(cells(first=8.0, second=8.0, groups="x")).which == "unknown"


def test_the_old_slot_beside_the_new_one_tells_a_release_from_a_configuration() -> None:
    """Both came to one gateway: its old slot has the configuration alone."""
    before, new, old = Cell("g", 0, False, False, 900, 9), (300, 27), (900, 9)
    release = [before, Cell("g", 1, True, True, *new), Cell("g", 1, False, True, *old)]
    assert blame(release).which == "first"


def test_nothing_failed_before_and_few_after_is_found() -> None:
    found = [Cell("a", 0, False, False, 500, 0), Cell("n", 0, False, False, 500, 0)]
    found += [Cell("a", 1, True, False, 200, 12), Cell("n", 1, False, False, 200, 0)]
    assert blame([*found, Cell("n", 1, False, True, 200, 0)]).which == "first"


def test_failures_that_come_in_bursts_weigh_less() -> None:
    few = cells(first=4.0)
    assert blame(few).which == "first"
    assert blame(few, burst=6.0).which == "unknown"
    assert blame(few, burst=6.0).first.sure < blame(few).first.sure


def test_nothing_to_go_by_is_no_blame() -> None:
    assert blame([]).which == "unknown"
    assert blame([Cell("a", 0, True, False, 0, 0)]).which == "unknown"


def test_chance_alone_is_seldom_blamed() -> None:
    rng, blamed = random.Random(5), 0
    for _ in range(200):
        noisy = [
            Cell(c.group, c.period, c.first, c.second, c.tried, sum(rng.random() < 0.01 for _ in range(int(c.tried))))
            for c in cells()
        ]
        blamed += blame(noisy).which != "unknown"
    assert blamed <= 5
