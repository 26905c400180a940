"""A lab of one gateway and two users for this folder; each test begins with the operator's own file in slot 1."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.labs import mark, pytest_configure
from tests.gateway.ocgate.door import Door, slots_of
from tests.gateway.ocgate.guests import all_leave

FILE = "/etc/ocserv/ocserv.conf"


__all__ = ["pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Site:
    """The lab's gateway, a channel to it, and the operator's configuration as it was at first."""

    lab: Lab
    gateway: Gateway
    door: Door
    conf: str
    first: str = field(default="1.1.6-3")

    def file(self) -> str:
        """The operator's file as it lies there now."""
        return self.gateway.run(["cat", FILE])

    def bring(self, text: str, **word: Any) -> dict[str, Any]:
        """Have the gateway keep a configuration."""
        return self.door.ask("configure", conf=text, sha256=sha(text), **word)

    def agreed(self) -> str:
        return str(self.door.ask("facts")["conf"]["agreed_sha256"])

    def ids(self) -> set[str]:
        """The lab's own users' sessions."""
        own = {client.user for client in self.lab.clients.all}
        return {session["id"] for session in self.gateway.sessions() if session["user"] in own}


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    assert os.geteuid() == 0, "the gateway tests need root"
    with Lab(gateways=1, users=2, say=lambda _text: None) as standing:
        yield standing


@pytest.fixture(scope="package")
def original(lab: Lab) -> str:
    return lab.gateways[0].run(["cat", FILE])


@pytest.fixture
def site(lab: Lab, original: str) -> Iterator[Site]:
    with Door(lab.gateways[0]) as door:
        made = Site(lab, lab.gateways[0], door, original)
        back(made)
        absent = [client for client in lab.clients.all if client.user not in slots_of(made.gateway)]
        for client in absent:
            client.vpn.stop()
        lab.clients.connect(absent)
        wait_until(lambda: len(made.ids()) == 2, seconds=30, what="Both users on the gateway")
        yield made
        all_leave()


def back(site: Site) -> None:
    """The first release in slot 1 with the first configuration, committed; nothing else runs."""
    door, conf = site.door, sha(site.conf)
    site.bring(site.conf)
    door.ask("agree", conf=conf)
    if door.ask("facts")["slots"][0]["conf"] != conf:
        door.ask("reload", slot=1, conf=conf)
    door.ask("start", release=site.first, slot=1)
    door.ask("shift", weights={"1": 100}, seconds=60)
    door.ask("commit", slot=1)
    for slot in (2, 3):
        door.ask("retire", slot=slot, cut_at_most=100)
