"""Each bad day does what it says, and is over when it ends."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from lab import faults
from lab.commands import LabError, wait_until
from lab.fleet import Lab
from lab.gateway import Gateway

pytestmark = pytest.mark.gateway
Ask = Callable[..., dict[str, Any]]


def reached(gateway: Gateway) -> bool:
    scan = ["ssh-keyscan", "-T", "2", "-t", "ed25519", gateway.address]
    return subprocess.run(scan, capture_output=True, check=False).stdout != b""


def facts(ask: Ask, gateway: Gateway) -> dict[str, Any]:
    result: dict[str, Any] = ask(gateway, "facts", {})["result"]
    return result


def test_cut_off_stops_the_controller_but_not_the_users(lab: Lab) -> None:
    gateway = lab.gateways[0]
    with faults.cut_off(gateway):
        assert not reached(gateway)
        assert gateway.sessions()
    wait_until(lambda: reached(gateway), seconds=20, what="The way back")


def test_cut_off_from_everything_stops_the_users_packets(lab: Lab) -> None:
    gateway = lab.gateways[0]
    lost = sum(row["lost"] for row in lab.clients.report())
    with faults.cut_off(gateway, everything=True):
        wait_until(lambda: sum(row["lost"] for row in lab.clients.report()) > lost, seconds=10, what="A loss")
    wait_until(lambda: reached(gateway), seconds=10, what="The way back")


def test_a_clock_that_is_off_is_seen_by_ocgate_and_set_right(lab: Lab, ask: Ask) -> None:
    gateway = lab.gateways[0]
    with faults.clock_off(gateway, 3600):
        assert abs(facts(ask, gateway)["now"] - time.time() - 3600) < 30
    assert abs(facts(ask, gateway)["now"] - time.time()) < 30


def test_a_full_disk_is_full_and_then_not(lab: Lab, ask: Ask) -> None:
    gateway = lab.gateways[0]
    with faults.disk_full(gateway, leave=1 << 20):
        assert facts(ask, gateway)["disk"]["free"] <= 1 << 20
    assert facts(ask, gateway)["disk"]["free"] > 100 << 20


def test_an_operators_edit_shows_as_changed(lab: Lab, ask: Ask) -> None:
    gateway = lab.gateways[0]
    faults.edit_ocserv_conf(gateway)
    assert facts(ask, gateway)["conf"]["changed"]
    with pytest.raises(LabError, match="has no line 'dpd = 90'"):
        faults.edit_ocserv_conf(gateway)
    faults.edit_ocserv_conf(gateway, old="dpd = 60", new="dpd = 90")
    assert not facts(ask, gateway)["conf"]["changed"]


def test_a_new_host_key_is_what_ssh_shows(lab: Lab) -> None:
    gateway = lab.gateways[0]
    old = gateway.host_keys[0]
    new = faults.change_host_key(gateway)
    wait_until(lambda: reached(gateway), seconds=10, what="SSH's restart")
    scan = ["ssh-keyscan", "-T", "5", "-t", "ed25519", gateway.address]
    shown = subprocess.run(scan, capture_output=True, text=True, check=True).stdout
    assert new in shown
    assert old not in shown


def test_a_reboot_keeps_the_disk_and_brings_the_committed_slot_back(lab: Lab, ask: Ask) -> None:
    gateway = lab.gateways[1]
    before = facts(ask, gateway)
    gateway.reboot()
    wait_until(
        lambda: facts(ask, gateway)["slots"][0]["state"] == "serving", seconds=20, what="The committed slot", every=0.5
    )
    after = facts(ask, gateway)
    assert after["committed"] == before["committed"]
    assert after["boot_id"] != before["boot_id"]
    assert after["uptime"] < before["uptime"] + 30


def test_a_gateway_that_is_switched_off_says_so(lab: Lab) -> None:
    gateway = lab.gateways[1]
    with faults.powered_off(gateway):
        with pytest.raises(LabError, match="gw2 is switched off"):
            gateway.run(["true"])
        assert not reached(gateway)
    wait_until(lambda: reached(gateway), seconds=10, what="The way back")
