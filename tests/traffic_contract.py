"""What every driver of the Traffic port must do. A driver's tests inherit `TrafficContract` and bring a `stand`.

The stand has two peers in front of one gateway with two slots: slot 1 with weight 100, slot 2 with 0, as configured.
docs/traffic.md says how to add a driver.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import pytest

from fleet.errors import GiveUp, RetryLater
from fleet.traffic.ports import Traffic

FIRST, SECOND = 0, 1  # peers


class Stand(Protocol):
    """Two balancers that a test may meddle with."""

    traffic: Traffic

    def restart(self, peer: int) -> None:
        """The balancer process ends and starts; what was set at its console is gone."""

    def silent(self, peer: int, *, on: bool) -> None:
        """The peer answers nobody, or again."""

    def meddle(self, peer: int, slot: int, weight: int) -> None:
        """Somebody sets a weight at the peer's own console."""

    def come(self, peer: int, slot: int) -> None:
        """One more user is sent to the slot by this peer, and stays."""


class TrafficContract:
    def test_state_shows_every_server_of_every_peer(self, stand: Stand) -> None:
        seen = stand.traffic.state()
        assert len(seen.peers) == 2
        for peer in seen.peers:
            assert [(s.slot, s.admin, s.up, s.weight) for s in peer.servers] == [
                (1, "ready", True, 100),
                (2, "ready", True, 0),
            ]
        assert seen.disagreements() == ()
        assert seen.takes_new() == (1,)

    def test_steer_sets_the_weights_on_both_peers(self, stand: Stand) -> None:
        assert stand.traffic.steer({1: 75, 2: 25}, fence=1) is False
        assert weights(stand) == [{1: 75, 2: 25}] * 2

    def test_steer_does_nothing_the_second_time(self, stand: Stand) -> None:
        stand.traffic.steer({1: 0, 2: 100}, fence=1)
        assert stand.traffic.steer({1: 0, 2: 100}, fence=1) is True

    def test_steer_goes_back(self, stand: Stand) -> None:
        stand.traffic.steer({1: 0, 2: 100}, fence=1)
        stand.traffic.steer({1: 100, 2: 0}, fence=2)
        assert weights(stand) == [{1: 100, 2: 0}] * 2

    def test_drain_and_ready(self, stand: Stand) -> None:
        assert stand.traffic.drain(fence=1) is False
        assert stand.traffic.state().takes_new() == ()
        assert stand.traffic.drain(fence=1) is True
        assert stand.traffic.ready(fence=1) is False
        assert stand.traffic.state().takes_new() == (1,)
        assert stand.traffic.ready(fence=1) is True

    def test_one_slot_drains_and_the_other_does_not(self, stand: Stand) -> None:
        stand.traffic.steer({1: 50, 2: 50}, fence=1)
        stand.traffic.drain(1, fence=1)
        assert stand.traffic.state().takes_new() == (2,)

    def test_a_restart_is_seen_and_it_is_set_again(self, stand: Stand) -> None:
        stand.traffic.steer({1: 0, 2: 100}, fence=1)
        began = [peer.started for peer in stand.traffic.state().peers]
        stand.restart(FIRST)
        assert stand.traffic.state().peers[FIRST].started >= began[FIRST]
        stand.traffic.steer({1: 0, 2: 100}, fence=1)
        assert weights(stand) == [{1: 0, 2: 100}] * 2

    def test_peers_that_disagree_are_named(self, stand: Stand) -> None:
        stand.meddle(SECOND, 1, 7)
        (difference,) = stand.traffic.state().disagreements()
        names = [peer.name for peer in stand.traffic.state().peers]
        assert difference.slot == 1
        assert f"{names[FIRST]} says ready with weight 100" in difference.say
        assert f"{names[SECOND]} says ready with weight 7" in difference.say
        assert stand.traffic.steer({1: 100, 2: 0}, fence=1) is False
        assert stand.traffic.state().disagreements() == ()

    def test_a_silent_peer_is_no_answer_and_the_other_is_set(self, stand: Stand) -> None:
        stand.silent(SECOND, on=True)
        with pytest.raises(RetryLater):
            stand.traffic.steer({1: 0, 2: 100}, fence=1)
        stand.silent(SECOND, on=False)
        answering(lambda: stand.traffic.state())
        assert weights(stand)[FIRST] == {1: 0, 2: 100}
        assert stand.traffic.steer({1: 0, 2: 100}, fence=1) is False
        assert weights(stand) == [{1: 0, 2: 100}] * 2

    def test_a_late_claim_is_refused(self, stand: Stand) -> None:
        stand.traffic.steer({1: 50, 2: 50}, fence=7)
        with pytest.raises(GiveUp) as no:
            stand.traffic.steer({1: 100, 2: 0}, fence=6)
        assert no.value.code == "fence_too_low"
        assert weights(stand) == [{1: 50, 2: 50}] * 2

    def test_a_slot_that_the_balancer_lacks_is_no(self, stand: Stand) -> None:
        with pytest.raises(GiveUp) as no:
            stand.traffic.steer({1: 50, 3: 50}, fence=1)
        assert no.value.code == "server_unknown"

    def test_a_trial_ends_by_itself(self, stand: Stand) -> None:
        stand.traffic.steer({1: 0, 2: 100}, seconds=2, fence=1)
        assert stand.traffic.state().on_trial()
        until(lambda: not stand.traffic.state().on_trial())
        assert weights(stand) == [{1: 100, 2: 0}] * 2

    def test_what_is_steered_for_good_stays(self, stand: Stand) -> None:
        stand.traffic.steer({1: 0, 2: 100}, seconds=2, fence=1)
        assert stand.traffic.steer({1: 0, 2: 100}, fence=1) is True
        assert not stand.traffic.state().on_trial()
        time.sleep(2.5)  # longer than the trial would have lasted
        assert weights(stand) == [{1: 0, 2: 100}] * 2

    def test_a_second_share_goes_back_to_before_the_first(self, stand: Stand) -> None:
        stand.traffic.steer({1: 75, 2: 25}, seconds=60, fence=1)
        stand.traffic.steer({1: 50, 2: 50}, seconds=2, fence=1)
        until(lambda: not stand.traffic.state().on_trial())
        assert weights(stand) == [{1: 100, 2: 0}] * 2

    def test_sessions_are_counted_over_both_peers(self, stand: Stand) -> None:
        stand.come(FIRST, 1)
        stand.come(FIRST, 1)
        stand.come(SECOND, 1)
        until(lambda: stand.traffic.sessions() == 3)
        assert (stand.traffic.sessions(1), stand.traffic.sessions(2)) == (3, 0)


def weights(stand: Stand) -> list[dict[int, int]]:
    """Each peer's weights by slot."""
    return [{server.slot: server.weight for server in peer.servers} for peer in stand.traffic.state().peers]


def until(met: Callable[[], bool]) -> None:
    for _ in range(200):
        if met():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within 20 s")


def answering(ask: Callable[[], object]) -> None:
    """Wait until somebody who was away answers."""

    def asked() -> bool:
        try:
            ask()
        except RetryLater:
            return False
        return True

    until(asked)
