"""Expected times: measured ones where there are any, and which of both they are."""

from __future__ import annotations

from upgrader.plan_times import BRINGS, USUAL_PACE, pace, wave_seconds


def runs(number: int, seconds: float = 2.0, names: tuple[str, ...] = BRINGS) -> list[tuple[int, str, float]]:
    return [(upgrade, name, seconds) for upgrade in range(number) for name in names]


def test_without_history_the_usual_times_hold_and_say_so() -> None:
    assert pace([]) is USUAL_PACE
    assert "nothing was measured" in pace(runs(2)).say


def test_half_a_measurement_is_none() -> None:
    assert pace(runs(9, names=BRINGS[:-1])) is USUAL_PACE


def test_medians_of_what_was_measured() -> None:
    found = pace([*runs(3, 2.0), *runs(1, 900.0)])
    assert found.seconds["stage"] == 2.0
    assert found.say == "Times as measured in this pool: medians of its last 3 upgrades."


def test_a_wave_goes_in_turns_and_is_watched_after_each_share() -> None:
    quick = pace(runs(3, 1.0))
    one = wave_seconds(1, at_once=2, shares=1, observe=600, pace=quick)
    assert one == 6 + 1 + 600
    assert wave_seconds(5, at_once=2, shares=1, observe=600, pace=quick) == 3 * 7 + 600
    assert wave_seconds(5, at_once=2, shares=3, observe=600, pace=quick) == 3 * 7 + 2 * 3 + 3 * 600
