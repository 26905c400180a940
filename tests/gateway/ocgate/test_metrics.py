"""`metrics` on a real gateway: what guests did is what was counted, whoever asks, and our own probes are not in it."""

from __future__ import annotations

import signal
from typing import Any

from fleet.gateways import answers
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.vpn import Vpn
from tests.gateway.ocgate.door import Door
from tests.gateway.ocgate.guests import sign_in


def slot(door: Door) -> dict[str, Any]:
    """What slot 1 says now; it is left out while its ocserv has no time to answer."""
    found: list[dict[str, Any]] = []

    def answered() -> bool:
        found[:] = said(door)
        return bool(found)

    wait_until(answered, seconds=30, what="An answer of slot 1")
    return found[0]


def said(door: Door) -> list[dict[str, Any]]:
    return [one for one in door.ask("metrics")["slots"] if one["slot"] == 1]


def grown(door: Door, before: dict[str, Any]) -> dict[str, int]:
    """The counters that have moved since."""
    now = slot(door)
    names = ("arrivals", "reconnects", "departures", "auth_failures", "crashes")
    return {name: now[name] - before[name] for name in names if now[name] != before[name]}


def came_back(vpn: Vpn, times: int) -> bool:
    return [what for _, what in vpn.events()].count("reconnect") == times


def test_who_comes_comes_again_and_leaves_is_counted_once(lab: Lab, gateway: Gateway, door: Door) -> None:
    before = slot(door)
    guest = sign_in(lab, gateway, 250)
    wait_until(lambda: grown(door, before) == {"arrivals": 1}, seconds=10, what="The count of the sign-in")
    guest.signal(signal.SIGUSR2)
    wait_until(lambda: came_back(guest, 1), seconds=30, what="The reconnect")
    with Door(gateway) as other:
        assert grown(other, before) == {"arrivals": 1, "reconnects": 1}, "another ocgate goes on where that one was"
    # From another address while ocserv still holds the connection to the old one.
    guest.corner.move(251)
    guest.signal(signal.SIGUSR2)
    wait_until(lambda: came_back(guest, 2), seconds=40, what="The reconnect from elsewhere")
    assert grown(door, before) == {"arrivals": 1, "reconnects": 2}
    guest.stop()
    wait_until(lambda: "departures" in grown(door, before), seconds=15, what="The count of the departure")
    assert grown(door, before) == {"arrivals": 1, "reconnects": 2, "departures": 1}


def test_a_crash_is_told_from_a_reconnect(lab: Lab, gateway: Gateway, door: Door) -> None:
    before = slot(door)
    guest = sign_in(lab, gateway, 252)
    worker = gateway.run(["sh", "-c", WORKER_OF.format(address=guest.corner.address)]).strip()
    gateway.run(["kill", "-SEGV", worker])
    wait_until(lambda: came_back(guest, 1), seconds=40, what="The guest's return")
    wait_until(lambda: grown(door, before).get("crashes") == 1, seconds=20, what="The count of the crash")
    assert slot(door)["reasons"]["crash"] >= 1
    guest.stop()


WORKER_OF = (
    "/var/lib/ocgate/releases/1.1.6-3/bin/occtl -j -n -s /run/ocgate/1/occtl.sock show users"
    " | grep -B8 {address} | sed -n 's/.*\"ID\":  \\([0-9]*\\),/\\1/p' | tail -1"
)


def test_our_own_probes_are_no_traffic_and_guesses_are(lab: Lab, gateway: Gateway, door: Door) -> None:
    before = slot(door)
    good = {"user": gateway.probe.user, "password": gateway.probe.password}
    assert door.ask("probe", slot=1, **good)["ok"]
    assert not door.ask("probe", slot=1, **{**good, "password": "wrong"})["ok"]
    assert grown(door, before) == {}
    guest = sign_in(lab, gateway, 253)
    told = slot(door)
    assert told["sessions"] == told["dtls"] == 5
    assert 0 < told["rtt_ms"] <= told["rtt_p95_ms"]
    assert told["handshake_ms"] > 0
    assert (told["logged"], told["banned"], told["banned_ours"]) == (True, 0, 0)
    assert sum(told["clients"].values()) == 5
    assert told["threads"] >= told["processes"] > 5
    (read,) = answers.metrics(door.ask("metrics"))
    assert (read.slot, read.dtls, read.clients) == (1, 5, told["clients"])
    guest.stop()
