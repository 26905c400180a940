"""Moving new clients between two real ocserv while users' traffic flows: shift, drain, commit, restore."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from lab.clients import Client
from lab.commands import text, wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.spaces import Corner
from tests.gateway.ocgate.door import Door, slots_of, started
from tests.gateway.ocgate.guests import lost, sign_in

NEW = "1.3.0-2"


def by_id(gateway: Gateway) -> dict[str, Any]:
    return {session["id"]: session for session in gateway.sessions()}


def test_a_shift_and_commit_lose_no_packet_and_no_session(lab: Lab, gateway: Gateway, door: Door) -> None:
    before, ids = lost(lab), set(by_id(gateway))
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"1": 75, "2": 25}, seconds=60)
    door.ask("shift", weights={"2": 100}, seconds=60)
    door.ask("commit", slot=2)
    time.sleep(2)
    assert lost(lab) == before
    assert ids == set(by_id(gateway))
    assert set(slots_of(gateway).values()) == {1}


def test_after_the_shift_new_clients_land_on_the_new_slot(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    guest = sign_in(lab, gateway, 210)
    assert slots_of(gateway)["guest1"] == 2
    guest.stop()


def test_reconnects_during_the_drain_keep_their_session_and_slot(lab: Lab, gateway: Gateway, door: Door) -> None:
    ids = set(by_id(gateway))
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    door.ask("commit", slot=2)
    cut = lab.clients.all[:2]
    before = [reconnects(client) for client in cut]
    for client in cut:
        client.cut()
    wait_until(lambda: all(reconnects(c) > n for c, n in zip(cut, before, strict=True)), seconds=40, what="Reconnects")
    assert ids == set(by_id(gateway))
    assert set(slots_of(gateway).values()) == {1}


def reconnects(client: Client) -> int:
    return sum(what == "reconnect" for _, what in client.vpn.events())


def test_without_a_commit_the_kernel_returns_new_clients(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=2)
    door.close()  # the controller is gone from here on
    time.sleep(2.5)
    guest = sign_in(lab, gateway, 211)
    assert slots_of(gateway)["guest1"] == 1
    guest.stop()
    with Door(gateway) as again:
        facts = again.ask("facts")
    assert facts["trial"] is None
    assert facts["weights"] == {"1": 100}


def test_authenticated_before_the_shift_and_connected_after_it(lab: Lab, gateway: Gateway, door: Door) -> None:
    corner = Corner(lab.clients.networks, "t212", 212)
    corner.up()
    trust = [f"--cafile={lab.authority.certificate}", "--no-system-trust"]
    ask = ["openconnect", "--authenticate", "--non-inter", "--passwd-on-stdin", "--user=guest1", *trust]
    said = text([*corner.enter(), *ask, f"https://{gateway.public}/"], stdin=lab._passwords["guest1"] + "\n")
    cookie = said.split("COOKIE='")[1].split("'")[0]
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    door.ask("commit", slot=2)
    up = ["openconnect", f"--cookie={cookie}", "--script=/bin/true", *trust, f"https://{gateway.public}/"]
    with subprocess.Popen([*corner.enter(), *up], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        try:
            wait_until(lambda: "guest1" in slots_of(gateway) or client.poll() is not None, seconds=40, what="A tunnel")
            assert slots_of(gateway).get("guest1") == 1
        finally:
            client.terminate()


def test_restore_turns_new_clients_back_and_keeps_the_others(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    stays = sign_in(lab, gateway, 213)
    result = door.ask("restore", to="committed")
    assert result["slot"] == 1
    assert not result["already"]
    assert door.ask("restore", to="committed")["already"]
    stays.corner.cut()
    wait_until(lambda: "reconnect" in [what for _, what in stays.events()], seconds=30, what="The guest's reconnect")
    assert slots_of(gateway)["guest1"] == 2, "a session on the bad slot is kept there"
    comes = sign_in(lab, gateway, 214)
    assert sorted(s["slot"] for s in gateway.sessions() if s["user"] == "guest1") == [1, 2]
    stays.stop()
    comes.stop()


def test_restore_forgets_who_has_no_session_on_the_bad_slot(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    guest = sign_in(lab, gateway, 215)
    guest.stop()
    wait_until(lambda: door.ask("drain", slot=2)["cookies"] == 0, seconds=40, what="The guest's sign-out")
    assert door.ask("restore", to="committed")["forgotten"] == 1
    guest.start()
    wait_until(lambda: "guest1" in slots_of(gateway), seconds=40, what="The guest's next sign-in")
    assert slots_of(gateway)["guest1"] == 1
    guest.stop()


def test_restore_starts_a_retired_slot_again(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=60)
    door.ask("commit", slot=2)
    assert door.refused("retire", slot=1, cut_at_most=0) == "has_sessions"
    cut = door.ask("retire", slot=1, cut_at_most=4)["cut"]
    assert {entry["user"] for entry in cut} == {client.user for client in lab.clients.all}
    result = door.ask("restore", to="previous")
    assert result["started"]
    assert (result["slot"], result["release"]) == (1, "1.1.6-3")
    assert door.ask("restore", to="previous")["already"]


def test_a_drain_names_who_is_left_and_retire_ends_the_idle_first(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    guest = sign_in(lab, gateway, 218)  # he sends nothing; the lab's users ping all the time
    door.ask("shift", weights={"2": 100}, seconds=60)
    door.ask("commit", slot=2)

    def left() -> list[dict[str, Any]]:
        users: list[dict[str, Any]] = door.ask("drain", slot=1, names=True)["users"]
        return users

    wait_until(lambda: left()[0]["idle_seconds"] >= 3, seconds=30, what="A look at who is idle", every=0.5)
    idlest, *busy = left()
    assert (idlest["user"], {user["idle_seconds"] < 3 for user in busy}) == ("guest1", {True})
    assert min(user["rx"] for user in busy) > idlest["rx"]
    assert {user["id"] for user in busy} | {idlest["id"]} == set(by_id(gateway))
    assert "users" not in door.ask("drain", slot=1)
    assert door.ask("retire", slot=1, cut_at_most=5)["cut"][0]["user"] == "guest1"
    guest.stop()
