"""Who is put into the kernel's memory, who is let go, and whose older session ends."""

from __future__ import annotations

from fleet.ocgate import learn, restore, roamers
from fleet.ocgate.nft import Learnt
from fleet.ocgate.occtl import Session
from tests.unit.ocgate.values import config

SLOT = config().slots[1]
ANN, BOB, SIX = "203.0.113.7", "203.0.113.8", "2001:db8::"


def missing(learnt: Learnt, *known: str) -> Learnt:
    return learn.missing(learnt, frozenset(known), slot=SLOT, seconds=7200)


def test_a_valid_session_that_the_kernel_does_not_know_is_added() -> None:
    added = missing(Learnt(), ANN, SIX)
    assert added.sticky4 == {ANN: ("198.18.0.1", 7200)}
    assert added.sticky6 == {SIX: ("fd5a:6f63::1", 7200)}


def test_one_that_is_known_is_renewed_only_when_half_its_time_is_over() -> None:
    assert missing(Learnt({ANN: ("198.18.0.1", 3601)}), ANN).sticky4 == {}
    assert missing(Learnt({ANN: ("198.18.0.1", 3599)}), ANN).sticky4 == {ANN: ("198.18.0.1", 7200)}


def test_the_kernels_word_of_another_slot_stands() -> None:
    assert missing(Learnt({ANN: ("198.18.0.2", 10)}), ANN).sticky4 == {}


def test_the_silent_without_a_session_are_let_go() -> None:
    learnt = Learnt({ANN: ("198.18.0.1", 6000), BOB: ("198.18.0.1", 7000), "x": ("198.18.0.2", 10)})
    assert learn.silent(learnt, frozenset(), slot=SLOT, seconds=7200) == {"sticky4": [ANN]}
    assert learn.silent(learnt, frozenset({ANN}), slot=SLOT, seconds=7200) == {}


def test_strangers_are_those_of_the_slot_that_nobody_knows() -> None:
    learnt = Learnt({ANN: ("198.18.0.2", 9), BOB: ("198.18.0.1", 9)}, {SIX: ("fd5a:6f63::2", 9)})
    bad = frozenset({"198.18.0.2", "fd5a:6f63::2"})
    assert restore.strangers(learnt, addresses=bad, known=frozenset({ANN})) == {"sticky6": [SIX]}


def session(user: str, vpn_ip: str, since: float, worker: int = 1) -> Session:
    return Session(f"{user}{worker}", user, ANN, since, vpn_ip, "", 0, 0, worker)


def test_of_two_sessions_with_one_address_the_older_ends() -> None:
    old, new, other = session("ann", "10.0.0.5", 1), session("ann", "10.0.0.5", 2), session("bob", "10.0.0.6", 3)
    assert roamers.older({1: [old, other], 2: [new]}) == [(1, old)]
    assert roamers.older({1: [new], 2: [old]}) == [(2, old)]


def test_two_devices_of_one_user_with_addresses_of_their_own_both_stay() -> None:
    assert roamers.older({1: [session("ann", "10.0.0.5", 1)], 2: [session("ann", "10.0.0.6", 2)]}) == []
    assert roamers.older({1: [session("ann", "10.0.0.5", 1), session("ann", "10.0.0.5", 2)]}) == []
