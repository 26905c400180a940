"""The resident face: what the host, a reboot or a dead controller does to the table and the slots is put right."""

from __future__ import annotations

import time

from lab import faults
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, slots_of, started
from tests.gateway.ocgate.guests import sign_in

NEW = "1.3.0-2"


def test_a_flushed_ruleset_is_restored_and_nobody_is_cut(lab: Lab, gateway: Gateway, door: Door) -> None:
    ids = {session["id"] for session in gateway.sessions()}
    time.sleep(2.5)  # keep has looked at what the kernel learnt
    faults.flush_ruleset(gateway)
    wait_until(lambda: door.ask("facts")["firewall"]["table_present"], seconds=5, what="The table's return", every=0.02)
    lab.clients.all[0].cut()
    time.sleep(1)
    gaps = [row["longest_gap_ms"] for row in lab.clients.report()]
    wait_until(lambda: len(slots_of(gateway)) == 4, seconds=30, what="The reconnect")
    assert ids == {session["id"] for session in gateway.sessions()}
    assert set(slots_of(gateway).values()) == {1}
    assert door.ask("facts")["keep"]["events"][-1]["code"] == "table_restored"
    assert max(gaps) < 1000, "the table was gone for long"


def test_a_flush_during_a_trial_keeps_the_trial_and_its_end(lab: Lab, gateway: Gateway, door: Door) -> None:
    started(door, lab.releases[NEW], 2)
    until = door.ask("shift", weights={"2": 100}, seconds=40)["until"]
    faults.flush_ruleset(gateway)
    wait_until(lambda: door.ask("facts")["firewall"]["table_present"], seconds=5, what="The table's return")
    trial = door.ask("facts")["trial"]
    assert trial["weights"] == {"2": 100}
    assert abs(trial["until"] - until) <= 2


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
        wait_until(lambda: serving(door) != [], seconds=30, what="The committed slot")
        facts = door.ask("facts")
    committed = facts["committed"]["slot"]
    running = [slot["slot"] for slot in facts["slots"] if slot["pid"]]
    return {"committed": committed, "weights": facts["weights"], "trial": facts["trial"], "running": running}


def serving(door: Door) -> list[int]:
    return [slot["slot"] for slot in door.ask("facts")["slots"] if slot["state"] == "serving"]


def test_a_killed_ocserv_is_started_again(gateway: Gateway, door: Door) -> None:
    faults.stop_ocserv_of(gateway, 1)
    wait_until(lambda: serving(door) == [1] and restarts(door) == 1, seconds=15, what="The restart")
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
