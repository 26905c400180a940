"""Three releases that are bad on purpose meet the matrix on a real gateway; each is caught by its own cell.

The load is smaller than that of `manage.py matrix run`, and so is the confidence.
"""

from __future__ import annotations

from lab.matrix import bench
from releases.matrix import functional, stress
from releases.matrix.ports import NoTunnel, Outcome, Pair
from releases.matrix.verdict import Verdict
from tests.gateway.matrix.conftest import PairWith

SMALL = stress.Load(users=3, rounds=8, bursts=1, rate=10, hold=0, stream=128 * 1024, confidence=0.95)


def silent(_: str) -> None:
    pass


def found_on_a_bench(pair: Pair) -> dict[str, Outcome]:
    """What every functional test finds."""
    outcomes: dict[str, Outcome] = {}
    with bench(pair, part="functional", users=2, say=silent) as made:
        for name, test in functional.TESTS.items():
            try:
                outcomes[name] = test(made)
            except NoTunnel as refused:
                outcomes[name] = Outcome(Verdict.RED, refused.say, {}, refused.log)
    return outcomes


def stressed(pair: Pair) -> dict[str, Outcome]:
    with bench(pair, part="stress", users=SMALL.users, say=silent) as made:
        taken = stress.measure(made, SMALL, lambda *_: None)
    return stress.judge(taken, SMALL, stress.Tolerance())


def red(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: one.say for name, one in outcomes.items() if one.verdict is Verdict.RED}


def test_refused_certificates_are_caught_by_the_certificate(pair_with: PairWith) -> None:
    outcomes = found_on_a_bench(pair_with("nocert"))
    assert set(red(outcomes)) == {"certificate"}, red(outcomes)
    wire = outcomes["encryption on the wire"].numbers
    assert wire["with_pattern_outside"] == 0 < wire["with_pattern_inside"]


def test_slow_connect_script_is_caught_by_the_time_to_log_in(pair_with: PairWith) -> None:
    outcomes = stressed(pair_with("slow"))
    assert "time to log in" in red(outcomes), outcomes["time to log in"].say
    assert not set(red(outcomes)) - {"time to log in", "login rate"}, red(outcomes)


def test_leak_is_caught_by_the_memory_growth(pair_with: PairWith) -> None:
    outcomes = stressed(pair_with("leak"))
    assert "memory growth" in red(outcomes), outcomes["memory growth"].say
    # What is kept is copied each time: that may cost time of the processor too.
    assert not set(red(outcomes)) - {"memory growth", "CPU of a session"}, red(outcomes)
