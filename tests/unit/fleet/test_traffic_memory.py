"""The in-memory driver passes the contract."""

from __future__ import annotations

import pytest

from fleet.errors import RetryLater
from fleet.traffic.balanced import Balanced
from fleet.traffic.memory import peers
from fleet.traffic.ports import Traffic
from tests.traffic_contract import TrafficContract


class MemoryStand:
    def __init__(self) -> None:
        self.peers = peers(["lb-1", "lb-2"], {1: 100, 2: 0})
        self.traffic: Traffic = Balanced("gw-1", self.peers, slots=(1, 2))

    def restart(self, peer: int) -> None:
        self.peers[peer].restart()

    def silent(self, peer: int, *, on: bool) -> None:
        self.peers[peer].answers = not on

    def meddle(self, peer: int, slot: int, weight: int) -> None:
        self.peers[peer].servers[slot].weight = weight

    def come(self, peer: int, slot: int) -> None:
        self.peers[peer].servers[slot].sessions += 1


@pytest.fixture
def stand() -> MemoryStand:
    return MemoryStand()


class TestMemory(TrafficContract):
    pass


def test_a_peer_that_says_yes_and_does_nothing_is_noticed(stand: MemoryStand) -> None:
    stand.peers[1].deaf = True
    with pytest.raises(RetryLater, match="lb-2 was told and does not show it: gw-1 has weight 100"):
        stand.traffic.steer({1: 0, 2: 100}, fence=1)


def test_forget_keeps_those_who_have_a_session(stand: MemoryStand) -> None:
    for peer in stand.peers:
        peer.servers[2].stuck = {"192.0.2.1", "192.0.2.2"}
    assert stand.traffic.forget(2, keep=["192.0.2.2"], fence=1) == 2
    assert [peer.servers[2].stuck for peer in stand.peers] == [{"192.0.2.2"}] * 2
