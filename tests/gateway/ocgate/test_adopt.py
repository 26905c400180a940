"""A gateway that serves users already: adopted without cutting them, upgraded, and left as it was."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, slots_of, started
from tests.gateway.ocgate.guests import lost, sign_in

NEW = "1.3.0-2"
WHAT_IS_THERE = """
cat /etc/passwd /etc/group /etc/hosts
ls -R /etc/systemd /etc/sudoers.d /etc/ocserv /usr/lib/ocgate /etc/ocgate /var/lib/ocgate /run/ocgate 2>/dev/null
ip -o address show dev lo | sed 's/ *valid_lft.*//'
nft list ruleset
ls /var/log | grep ocgate
true
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A gateway with Debian's own ocserv on 0.0.0.0:443, two users on it, and no ocgate yet."""
    with Lab(gateways=1, users=2, say=lambda _text: None, adopt=True) as standing:
        yield standing


@pytest.fixture(scope="module")
def before(lab: Lab) -> str:
    """What the machine held before ocgate came."""
    return lab.gateways[0].run(["sh", "-c", WHAT_IS_THERE])


@pytest.fixture
def gateway(lab: Lab, before: str) -> Gateway:
    """The gateway, adopted once."""
    gateway = lab.gateways[0]
    if gateway.run(["sh", "-c", "ls /usr/lib/ocgate 2>/dev/null || true"]) == "":
        gateway.install(adopt=True)
    return gateway


def test_adoption_cuts_nobody_and_loses_nothing(lab: Lab, before: str) -> None:
    gateway = lab.gateways[0]
    packets, ids = lost(lab), {session["id"] for session in gateway.sessions()}
    gateway.install(adopt=True)
    time.sleep(2)
    assert lost(lab) == packets
    assert ids == {session["id"] for session in gateway.sessions()}
    with Door(gateway) as door:
        facts = door.ask("facts")
        assert len(door.ask("sessions")["sessions"]) == 2
        assert door.ask("probe", slot=1, user=gateway.probe.user, password=gateway.probe.password)["ok"]
    assert (facts["slots"][0]["state"], facts["slots"][0]["version"]) == ("adopted", "1.1.6")
    assert facts["committed"] == {"slot": 1, "release": "adopted"}


def test_an_adopted_gateway_is_upgraded_and_its_users_come_back_to_it(lab: Lab, gateway: Gateway) -> None:
    ids = {session["id"] for session in gateway.sessions()}
    with Door(gateway) as door:
        started(door, lab.releases[NEW], 2)
        door.ask("shift", weights={"2": 100}, seconds=60)
        door.ask("commit", slot=2)
    lab.clients.all[0].cut()
    guest = sign_in(lab, gateway, 220)
    assert slots_of(gateway)["guest1"] == 2
    wait_until(lambda: len(gateway.sessions()) == 3, seconds=30, what="The reconnect")
    assert ids <= {session["id"] for session in gateway.sessions()}
    guest.stop()


def test_restore_goes_back_to_the_adopted_one(lab: Lab, gateway: Gateway) -> None:
    with Door(gateway) as door:
        result = door.ask("restore", to="previous")
    assert (result["slot"], result["release"]) == (1, "adopted")
    guest = sign_in(lab, gateway, 221)
    assert [s["slot"] for s in gateway.sessions() if s["user"] == "guest1"] == [0], "0 is what the lab calls Debian's"
    guest.stop()


def test_uninstall_leaves_the_machine_as_it_was(lab: Lab, gateway: Gateway, before: str) -> None:
    packets = lost(lab)
    gateway.run(["/usr/lib/ocgate/ocgate", "uninstall"], seconds=60)
    assert gateway.run(["sh", "-c", WHAT_IS_THERE]) == before
    assert gateway.run(["systemctl", "is-enabled", "ocserv"]).strip() == "enabled"
    assert lost(lab) == packets
    assert len(gateway.sessions()) == 2
