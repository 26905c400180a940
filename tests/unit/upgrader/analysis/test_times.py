"""Times beside times: found soon when independent, later when the series wanders, and no alarm for wandering."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import exp, log, sqrt

import pytest

from upgrader.analysis.times import FAR, LEAST, Pair, Sums, slower
from upgrader.readings import ASKED, WEIGHTS

ALONE = ASKED - log(WEIGHTS["login_time"])  # so much asks a person with nothing beside it


def series(rng: random.Random, memory: float, spread: float = 0.3) -> Iterator[float]:
    """Milliseconds around 200 with this coefficient of variation; each keeps `memory` of the one before it."""
    deviation, now = sqrt(log(1 + spread * spread)), rng.gauss(0, 1)
    while True:
        yield 200 * exp(deviation * now)
        now = memory * now + sqrt(1 - memory * memory) * rng.gauss(0, 1)


def found(seed: int, *, memory: float, factor: float, looks: int, windows: int) -> int:
    """In how many windows the new slot is found to be slower."""
    rng, hits = random.Random(seed), 0
    for _ in range(windows):
        new, old, pair = series(rng, memory), series(rng, memory), Pair()
        for _ in range(looks):
            pair = pair.added(factor * next(new), next(old))
            if slower([pair]).evidence >= ALONE:
                hits += 1
                break
    return hits


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_noise_raises_no_alarm_however_often_one_looks(memory: float) -> None:
    assert found(3, memory=memory, factor=1.0, looks=180, windows=50) <= 1


def test_half_as_slow_again_is_found_within_30_looks() -> None:
    assert found(4, memory=0.0, factor=1.5, looks=30, windows=60) >= 55


def test_and_within_180_where_each_keeps_most_of_the_last() -> None:
    assert found(4, memory=0.8, factor=1.5, looks=180, windows=25) >= 18


def test_times_that_hardly_vary_are_no_harder_to_tell_apart() -> None:
    rng, pair = random.Random(7), Pair()
    new, old = series(rng, 0.0, 0.03), series(rng, 0.0, 0.03)
    for _ in range(30):
        pair = pair.added(1.5 * next(new), next(old))
    assert slower([pair]).evidence >= ALONE


def test_faster_is_not_slower() -> None:
    assert found(9, memory=0.0, factor=0.5, looks=60, windows=20) == 0


def paired(times: list[tuple[float, float]]) -> Pair:
    pair = Pair()
    for canary, control in times:
        pair = pair.added(canary, control)
    return pair


def test_the_ratio_is_that_of_the_geometric_means() -> None:
    said = slower([paired([(300, 200), (330, 200)] * 10)])
    assert said.ratio == pytest.approx(sqrt(300 * 330) / 200)
    assert (said.pairs, round(said.control)) == (20, 200)


def test_what_is_tolerated_is_not_weighed() -> None:
    pair = paired([(400, 200)] * 50)
    assert slower([pair], tolerated=1.9).evidence > ALONE
    assert slower([pair], tolerated=2.1).evidence == 0.0


def test_nothing_is_said_before_the_least() -> None:
    assert slower([paired([(900, 200)] * (LEAST - 1))]).evidence == 0.0
    assert slower([]).evidence == 0.0


def test_one_that_hangs_does_not_hide_the_others() -> None:
    usual = [(200.0, 205.0), (206.0, 199.0), (195.0, 201.0)] * 8
    one = paired([*usual, (60_000.0, 200.0)])
    assert one.canary.last - one.control.mean == pytest.approx(FAR, abs=0.01)
    assert slower([one]).evidence < ALONE


def test_gateways_of_different_speed_are_one_body_of_evidence() -> None:
    rng = random.Random(1)
    each = []
    for speed in (0.5, 1.0, 4.0):
        new, old = series(rng, 0.0), series(rng, 0.0)
        each.append(paired([(1.3 * speed * next(new), speed * next(old)) for _ in range(25)]))
    assert slower(each).evidence > max(slower([one]).evidence for one in each)


def test_the_sums_do_not_know_their_unit() -> None:
    rng = random.Random(2)
    times = [(rng.uniform(200, 300), rng.uniform(180, 260)) for _ in range(40)]
    seconds = [(one / 1000, other / 1000) for one, other in times]
    assert slower([paired(times)]).evidence == pytest.approx(slower([paired(seconds)]).evidence)


def test_times_that_do_not_vary_at_all() -> None:
    assert slower([paired([(200, 200)] * 50)]).evidence < 0
    assert slower([paired([(400, 200)] * 50)]).evidence > ALONE


def test_sums_remember_neighbours() -> None:
    assert Sums().added(1.0).added(2.0).added(4.0) == Sums(3, 7.0, 21.0, 10.0, 1.0, 4.0)
