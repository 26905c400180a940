"""A gateway without nft whose ocserv was there before ocgate: replaced, and started again by its own unit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, bundle_of, stage_args

NEW = "1.3.0-2"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Debian's own ocserv on port 443, two users on it, no nft, and ocgate installed beside them."""
    with Lab(gateways=1, users=2, say=lambda _text: None, adopt=True, kind="front") as standing:
        standing.gateways[0].install(adopt=True)
        yield standing


@pytest.fixture
def gateway(lab: Lab) -> Gateway:
    return lab.gateways[0]


@pytest.fixture
def door(lab: Lab, gateway: Gateway) -> Iterator[Door]:
    with Door(gateway) as opened:
        opened.ask("stage", raw=bundle_of(lab.releases[NEW]), **stage_args(lab.releases[NEW]))
        yield opened


def running(gateway: Gateway) -> list[tuple[int, str]]:
    with Door(gateway) as door:
        slots: list[dict[str, Any]] = door.ask("facts")["slots"]
    return [(slot["slot"], slot["release"]) for slot in slots if slot["pid"]]


def everyone_comes(lab: Lab, gateway: Gateway) -> None:
    for client in lab.clients.all:
        client.vpn.stop()
    lab.clients.connect(lab.clients.all)
    wait_until(lambda: len(gateway.sessions()) == 2, seconds=30, what="Both users")


def test_its_users_did_not_notice(lab: Lab, gateway: Gateway) -> None:
    assert len(gateway.sessions()) == 2
    assert [what for _, what in lab.clients.all[0].vpn.events()] == ["connect"]
    assert running(gateway) == [(1, "adopted")]


def test_it_is_replaced_and_comes_back(lab: Lab, gateway: Gateway, door: Door) -> None:
    assert door.refused("replace", release=NEW, cut_at_most=1, seconds=60) == "has_sessions"
    done = door.ask("replace", release=NEW, cut_at_most=2, seconds=600)
    assert sorted(entry["user"] for entry in done["cut"]) == ["user1", "user2"]
    assert running(gateway) == [(2, NEW)]
    everyone_comes(lab, gateway)
    back = door.ask("restore", to="committed")
    assert (back["slot"], back["release"], len(back["cut"])) == (1, "adopted", 2)
    assert running(gateway) == [(1, "adopted")]
    everyone_comes(lab, gateway)


def test_a_boot_during_its_trial_brings_it_back(lab: Lab, gateway: Gateway, door: Door) -> None:
    door.ask("replace", release=NEW, cut_at_most=2, seconds=600)
    gateway.reboot()
    wait_until(lambda: running(gateway) == [(1, "adopted")], seconds=60, what="The adopted one")
    gateway.reboot()
    wait_until(lambda: running(gateway) == [(1, "adopted")], seconds=60, what="The adopted one, with another pid")
    everyone_comes(lab, gateway)
