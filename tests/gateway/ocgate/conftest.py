"""A lab of one gateway and four users for this folder, and a gateway put back to slot 1 before each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.commands import LabError, wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.networks import batch
from tests.gateway.labs import mark, pytest_configure
from tests.gateway.ocgate import guests
from tests.gateway.ocgate.door import Door, serving, slots_of

__all__ = ["pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """One gateway with systemd and four users on it."""
    assert os.geteuid() == 0, "the gateway tests need root"
    with Lab(gateways=1, users=4, say=lambda _text: None) as standing:
        yield standing


@pytest.fixture
def gateway(lab: Lab) -> Gateway:
    """The gateway with 1.1.6 committed in slot 1, nothing else running, and all users there."""
    gateway = lab.gateways[0]
    guests.all_leave()
    try:
        with Door(gateway) as door:
            _back_to_slot_1(door)
        _everyone_there(lab, gateway)
    except (AssertionError, LabError, OSError):
        # This test fails with it. The next one begins on a machine that knows nothing of it.
        gateway.reboot()
        with Door(gateway) as door:
            wait_until(lambda: serving(door) != [], seconds=60, what="The committed slot")
        raise
    return gateway


def _back_to_slot_1(door: Door) -> None:
    door.ask("start", release="1.1.6-3", slot=1)
    door.ask("shift", weights={"1": 100}, seconds=60)
    door.ask("commit", slot=1)
    for slot in (2, 3):
        door.ask("retire", slot=slot, cut_at_most=100)
    # A learnt client of an earlier test would be steered to a slot that is gone.
    door.gateway.run(["sh", "-c", "nft flush map inet handover sticky4; nft flush map inet handover sticky6"])
    door.gateway.run(["rm", "-f", "/run/ocgate/learnt.json"])


def _everyone_there(lab: Lab, gateway: Gateway) -> None:
    there = {user for user, slot in slots_of(gateway).items() if slot == 1}
    absent = [client for client in lab.clients.all if client.user not in there or not client.vpn.connected]
    for client in absent:
        client.vpn.stop()
        # A machine that was switched off and on has new hardware addresses here; a real one keeps them.
        batch(["neigh flush dev wan0"], client.vpn.corner.space)
    guests.end_sessions(gateway, ["guest1", *(client.user for client in absent)])
    lab.clients.connect(absent)
    everyone = sorted((client.user, 1) for client in lab.clients.all)
    wait_until(lambda: _seats(gateway) == everyone, seconds=30, what="Each user once on slot 1, and nobody else,")


def _seats(gateway: Gateway) -> list[tuple[str, int]]:
    return sorted((session["user"], session["slot"]) for session in gateway.sessions())


@pytest.fixture
def door(gateway: Gateway) -> Iterator[Door]:
    """An `ocgate serve` on the gateway."""
    with Door(gateway) as opened:
        yield opened
