"""Each fault is caught by its own cell, and by no other that does not depend on it."""

from __future__ import annotations

import pytest

from releases.matrix.functional import TESTS
from releases.matrix.ports import NoTunnel, Outcome
from releases.matrix.verdict import Verdict
from tests.unit.matrix.bench import FakeBench, bench_with

CAUGHT = {
    "certificate": {"certificate"},
    "foreign": {"certificate"},
    "guesses": {"wrong password", "banned client"},
    "bans": {"banned client"},
    "dtls": {"tunnel over DTLS"},
    "plain": {"encryption on the wire"},
    "bytes": {"traffic with checksums"},
    "mtu": {"MTU"},
    "routes": {"DNS and routes"},
    "cookie": {"cookie reconnect"},
    "reload": {"reload"},
    "disconnect": {"disconnect"},
    "ipv6": {"IPv6"},
    "crash": {"broken requests"},
    "openconnect 9.01": {"oldest openconnect"},
    "openconnect 9.21": {"newest openconnect"},
}


def found(bench: FakeBench) -> dict[str, Outcome]:
    outcomes = {}
    for name, test in TESTS.items():
        try:
            outcomes[name] = test(bench)
        except NoTunnel as refused:
            outcomes[name] = Outcome(Verdict.RED, refused.say)
    return outcomes


def red(bench: FakeBench) -> set[str]:
    return {name for name, outcome in found(bench).items() if outcome.verdict is Verdict.RED}


def test_good_release_is_green_everywhere() -> None:
    assert {outcome.verdict for outcome in found(bench_with()).values()} == {Verdict.GREEN}


@pytest.mark.parametrize("fault", CAUGHT)
def test_fault_is_caught_by_its_cell(fault: str) -> None:
    assert red(bench_with(fault)) == CAUGHT[fault]


def test_no_password_gets_nobody_in() -> None:
    assert red(bench_with("password")) >= {"password", "tunnel over TLS", "traffic with checksums"}


def test_every_test_closes_its_tunnels() -> None:
    bench = bench_with()
    found(bench)
    assert bench.new.on == 0


def test_every_outcome_is_a_sentence() -> None:
    for outcome in (*found(bench_with()).values(), *found(bench_with(*CAUGHT)).values()):
        assert outcome.say.rstrip().endswith(".")
