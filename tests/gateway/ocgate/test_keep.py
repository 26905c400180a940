"""The resident face: what the host, a reboot or a dead controller does to the table and the slots is put right."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial

from lab import faults
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, serving, slots_of, started
from tests.gateway.ocgate.guests import answers, sign_in

NEW = "1.3.0-2"


def test_a_flushed_ruleset_is_restored_and_nobody_is_cut(lab: Lab, gateway: Gateway, door: Door) -> None:
    ids, before = {session["id"] for session in gateway.sessions()}, tunnels(lab)
    wait_for_the_memory(lab, gateway)
    faults.flush_ruleset(gateway)
    wait_for_the_table(door)
    lab.clients.all[0].cut()
    back = [*before[0], "attempt-reconnect", "reconnect"]
    wait_until(lambda: tunnels(lab)[0] == back, seconds=40, what="The reconnect")
    assert tunnels(lab)[1:] == before[1:]
    assert ids == {session["id"] for session in gateway.sessions()}
    assert set(slots_of(gateway).values()) == {1}
    assert door.ask("facts")["keep"]["events"][-1]["code"] == "table_restored"


def test_nobody_is_reset_while_the_table_is_gone(lab: Lab, gateway: Gateway, door: Door) -> None:
    ids, before = {session["id"] for session in gateway.sessions()}, tunnels(lab)
    wait_for_the_memory(lab, gateway)
    with frozen_keep(gateway):
        faults.flush_ruleset(gateway)
        time.sleep(2)  # a machine under load takes its time
    wait_for_the_table(door)
    for client in lab.clients.all:
        wait_until(partial(answers, client.vpn, gateway.at.inside), seconds=30, what=f"Traffic of {client.user}")
    assert tunnels(lab) == before, "no connection was given up"
    assert ids == {session["id"] for session in gateway.sessions()}


def tunnels(lab: Lab) -> list[list[str]]:
    """What each user's tunnel went through since he signed in."""
    return [[what for _, what in client.vpn.events()] for client in lab.clients.all]


def wait_for_the_memory(lab: Lab, gateway: Gateway) -> None:
    """Until keep has written down what the kernel learnt of the four."""
    kept, users = "/run/ocgate/learnt.json", [client.vpn.corner.address for client in lab.clients.all]
    wait_until(
        lambda: all(f'"{user}"' in gateway.run(["sh", "-c", f"cat {kept} 2>/dev/null || true"]) for user in users),
        seconds=30,
        what="A look at what the kernel learnt",
    )


def wait_for_the_table(door: Door) -> None:
    wait_until(
        lambda: door.ask("facts")["firewall"]["table_present"], seconds=20, what="The table's return", every=0.02
    )


@contextlib.contextmanager
def frozen_keep(gateway: Gateway) -> Iterator[None]:
    gateway.run(["sh", "-c", 'kill -STOP "$(cat /run/ocgate/keep.pid)"'])
    try:
        yield
    finally:
        gateway.run(["sh", "-c", 'kill -CONT "$(cat /run/ocgate/keep.pid)"'])


def test_a_flush_during_a_trial_keeps_the_trial_and_its_end(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    until = door.ask("shift", weights={"2": 100}, seconds=60)["until"]
    time.sleep(6)  # a trial that began anew would end so much later
    faults.flush_ruleset(gateway)
    wait_for_the_table(door)
    trial = door.ask("facts")["trial"]
    assert trial["weights"] == {"2": 100}
    assert abs(trial["until"] - until) <= 4


def test_a_reboot_during_a_trial_returns_to_the_committed_slot(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=600)
    door.close()
    assert after_reboot(gateway) == {"committed": 1, "weights": {"1": 100}, "trial": None, "running": [1]}
    guest = sign_in(lab, gateway, 216)
    assert slots_of(gateway)["guest1"] == 1
    guest.stop()


def test_a_reboot_after_a_commit_serves_the_new_slot(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    door.ask("shift", weights={"2": 100}, seconds=600)
    door.ask("commit", slot=2)
    door.close()
    assert after_reboot(gateway) == {"committed": 2, "weights": {"2": 100}, "trial": None, "running": [2]}
    guest = sign_in(lab, gateway, 217)
    assert slots_of(gateway)["guest1"] == 2
    guest.stop()


def after_reboot(gateway: Gateway) -> dict[str, object]:
    gateway.reboot()
    with Door(gateway) as door:
        wait_until(lambda: serving(door) != [], seconds=60, what="The committed slot")
        facts = door.ask("facts")
    committed = facts["committed"]["slot"]
    running = [slot["slot"] for slot in facts["slots"] if slot["pid"]]
    return {"committed": committed, "weights": facts["weights"], "trial": facts["trial"], "running": running}


def test_a_killed_ocserv_is_started_again(gateway: Gateway, door: Door) -> None:
    faults.stop_ocserv_of(gateway, 1)
    wait_until(lambda: serving(door) == [1] and restarts(door) == 1, seconds=40, what="The restart")
    assert door.ask("start", release="1.1.6-3", slot=1)["already"]
    assert serving(door) == [1], "asking for what runs must not stop it"


def restarts(door: Door) -> int:
    return int(door.ask("facts")["slots"][0]["restarts"])


def test_an_edit_of_ocserv_conf_stops_the_next_start_only(lab: Lab, gateway: Gateway, door: Door) -> None:
    ids = {session["id"] for session in gateway.sessions()}
    started(door, lab.releases[NEW], 2)
    door.ask("retire", slot=2, cut_at_most=0)
    faults.edit_ocserv_conf(gateway)
    try:
        assert door.ask("facts")["conf"]["changed"]
        assert door.refused("start", release=NEW, slot=2) == "conf_changed"
        codes = [found["code"] for found in door.ask("check", release=NEW, slot=2)["findings"]]
        assert "conf_changed" in codes
        assert ids == {session["id"] for session in gateway.sessions()}
    finally:
        faults.edit_ocserv_conf(gateway, "dpd = 60", "dpd = 90")
