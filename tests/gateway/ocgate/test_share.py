"""The share of new clients on the real kernel: exactly whom the hash says, and the same client on the same side."""

from __future__ import annotations

import json

import pytest

from fleet.ocgate import nft
from lab.commands import text
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.networks import batch
from lab.spaces import Corner
from tests.gateway.ocgate.door import Door, started
from tests.gateway.ocgate.jhash import share_of

NEW = "1.3.0-2"
ADDRESSES = [f"198.51.100.{last}" for last in range(1, 255)] + [f"192.0.2.{last}" for last in range(1, 255)]
KNOCK = """
import socket, struct, sys
for address in sys.stdin.read().split():
    with socket.create_connection((sys.argv[1], 443), timeout=10, source_address=(address, 0)) as knock:
        # Ended by a reset: the late packets of a polite end would teach the kernel once more.
        knock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""


@pytest.fixture(scope="module")
def town(lab: Lab) -> Corner:
    """A namespace with 508 addresses of two networks."""
    corner = Corner(lab.clients.networks, "t240", 240)
    corner.up()
    batch([f"address add {address}/32 dev lo" for address in ADDRESSES], corner.space)
    return corner


@pytest.fixture
def knock(town: Corner, gateway: Gateway, door: Door) -> Door:
    """Slot 2 runs the new release, and the gateway knows the way to the town."""
    for network in ("198.51.100.0/24", "192.0.2.0/24"):
        gateway.run(["ip", "route", "replace", network, "via", town.address])
    return door


def sides(gateway: Gateway, town: Corner) -> dict[str, str]:
    """Let everybody connect once; address → the slot's address, as the kernel has learnt it."""
    argv = [*town.enter(), "python3", "-c", KNOCK, gateway.public]
    text(argv, stdin="\n".join(ADDRESSES), seconds=120)
    listing = json.loads(gateway.run(["nft", "-j", "list", "map", "inet", "handover", "sticky4"]))
    elements = next(item["map"] for item in listing["nftables"] if "map" in item).get("elem", [])
    learnt = {key["elem"]["val"]: slot for key, slot in elements}
    return {address: learnt[address] for address in ADDRESSES}


def forget(gateway: Gateway) -> None:
    gateway.run(["nft", "flush", "map", "inet", "handover", "sticky4"])


def on_new(found: dict[str, str]) -> set[str]:
    return {address for address, slot in found.items() if slot == "198.18.0.2"}


def test_the_share_is_whom_the_hash_says(lab: Lab, gateway: Gateway, knock: Door, town: Corner) -> None:
    started(knock, lab.releases[NEW], 2)
    seed, before = int(nft.SEED, 16), set[str]()
    for weight in (5, 25, 50, 100):
        knock.ask("shift", weights={"1": 100 - weight, "2": weight}, seconds=600)
        forget(gateway)  # so that everybody is new, and the hash alone decides
        now = on_new(sides(gateway, town))
        assert now == {address for address in ADDRESSES if share_of(address, seed=seed) >= 100 - weight}
        # Four standard deviations of a fair draw: the hash prefers nobody.
        assert abs(len(now) - 5.08 * weight) <= 4 * (508 * weight / 100 * (1 - weight / 100)) ** 0.5
        assert before <= now, "who was on the new side stays there while its share grows"
        before = now


def test_who_was_on_the_new_side_stays_and_restore_brings_all_back(
    lab: Lab, gateway: Gateway, knock: Door, town: Corner
) -> None:
    started(knock, lab.releases[NEW], 2)
    forget(gateway)
    knock.ask("shift", weights={"1": 50, "2": 50}, seconds=600)
    half = on_new(sides(gateway, town))
    knock.ask("shift", weights={"1": 95, "2": 5}, seconds=600)
    assert on_new(sides(gateway, town)) == half, "the kernel knows them, whatever the share is now"
    back = knock.ask("restore", to="committed")
    assert back["forgotten"] == len(half), "nobody of them has a session there"
    assert on_new(sides(gateway, town)) == set()
