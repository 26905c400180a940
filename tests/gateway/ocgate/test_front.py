"""A gateway without nft: releases are put in each other's place, with who is cut counted, and a dead man in `keep`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, bundle_of, slots_of, stage_args
from tests.gateway.ocgate.guests import answers

OLD, NEW = "1.1.6-3", "1.3.0-2"
EVERYONE = ["user1", "user2", "user3"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One gateway without an nft binary, and three users."""
    with Lab(gateways=1, users=3, say=lambda _text: None, kind="front") as standing:
        yield standing


@pytest.fixture
def gateway(lab: Lab) -> Gateway:
    """The gateway with 1.1.6 committed and serving, 1.3.0 staged, and everybody there."""
    gateway = lab.gateways[0]
    with Door(gateway) as door:
        door.ask("stage", raw=bundle_of(lab.releases[NEW]), **stage_args(lab.releases[NEW]))
        if door.ask("restore", to="committed")["release"] != OLD:
            door.ask("restore", to="previous")
        door.ask("commit", slot=1)
    everyone_there(lab, gateway, slot=1)
    return gateway


@pytest.fixture
def door(gateway: Gateway) -> Iterator[Door]:
    with Door(gateway) as opened:
        yield opened


def everyone_there(lab: Lab, gateway: Gateway, *, slot: int) -> None:
    there = slots_of(gateway)
    absent = [client for client in lab.clients.all if there.get(client.user) != slot or not client.vpn.connected]
    for client in absent:
        client.vpn.stop()
    lab.clients.connect(absent)
    wait_until(lambda: slots_of(gateway) == dict.fromkeys(EVERYONE, slot), seconds=30, what="Everybody's session")


def serves(gateway: Gateway) -> tuple[int, str]:
    """Slot and release of what runs; exactly one does."""
    with Door(gateway) as door:
        running = [slot for slot in door.ask("facts")["slots"] if slot["pid"]]
    return (running[0]["slot"], running[0]["release"]) if len(running) == 1 else (0, str(running))


def instead(door: Door, *, cut: int = 3, seconds: int = 60) -> dict[str, object]:
    return door.ask("replace", release=NEW, cut_at_most=cut, seconds=seconds)


def last_event(gateway: Gateway) -> str:
    """What `keep` noted last; nothing yet where it was started a moment ago: it notes an end after it has served it."""
    with Door(gateway) as door:
        events = door.ask("facts")["keep"]["events"]
    return str(events[-1]["say"]) if events else ""


def test_it_says_that_it_can_not_steer(door: Door) -> None:
    facts = door.ask("facts")
    assert (facts["steers"], facts["steers_why"]) == (False, "it was installed with --in-place")
    checked = door.ask("check", release=NEW, slot=2)
    assert checked["ok"]
    assert "no_steering" in [finding["code"] for finding in checked["findings"]]
    assert door.refused("start", release=NEW, slot=2) == "no_steering"
    assert door.refused("shift", weights={"1": 100}, seconds=60) == "no_steering"


def test_nobody_is_cut_beyond_the_number(gateway: Gateway, door: Door) -> None:
    ids = {session["id"] for session in gateway.sessions()}
    assert door.refused("replace", release=NEW, cut_at_most=2, seconds=60) == "has_sessions"
    assert {session["id"] for session in gateway.sessions()} == ids
    assert door.ask("facts")["trial"] is None


def test_a_replacement_serves_and_says_who_was_cut(lab: Lab, gateway: Gateway, door: Door) -> None:
    ids = {session["id"]: session["user"] for session in gateway.sessions()}
    done = door.ask("replace", release=NEW, cut_at_most=3, seconds=600)
    assert {entry["id"]: entry["user"] for entry in done["cut"]} == ids
    assert (done["slot"], done["version"], done["already"]) == (2, "1.3.0", False)
    assert instead(door, cut=0, seconds=600)["already"]
    everyone_there(lab, gateway, slot=2)
    assert answers(lab.clients.all[0].vpn, gateway.at.inside)
    assert door.ask("probe", slot=2, user="probe", password=lab._passwords["probe"])["stage"] == "done"
    assert not door.ask("commit", slot=2)["already"]
    assert door.ask("commit", slot=2)["already"]
    assert door.refused("restore", to="previous", cut_at_most=2) == "has_sessions"
    assert serves(gateway) == (2, NEW)
    back = door.ask("restore", to="previous", cut_at_most=3)
    assert (back["slot"], back["release"], back["started"]) == (1, OLD, True)
    assert sorted(entry["user"] for entry in back["cut"]) == EVERYONE
    assert door.ask("restore", to="previous")["already"]
    assert serves(gateway) == (1, OLD)


def test_without_a_commit_the_old_one_serves_again(gateway: Gateway, door: Door) -> None:
    instead(door, seconds=8)
    gateway.run(["sh", "-c", 'kill -9 "$(cat /run/ocgate/keep.pid)"'])  # the dead man outlives its keeper
    door.close()  # the controller is gone from here on
    wait_until(lambda: serves(gateway) == (1, OLD), seconds=60, what="The old release")
    wait_until(lambda: "nobody committed it in time" in last_event(gateway), seconds=10, what="The word of it")
    with Door(gateway) as again:
        facts = again.ask("facts")
    assert (facts["trial"], facts["weights"], facts["committed"]["slot"]) == (None, {"1": 100}, 1)


def test_one_that_dies_on_trial_is_followed_by_the_old_one(gateway: Gateway, door: Door) -> None:
    instead(door, seconds=600)
    gateway.run(["sh", "-c", "systemctl kill -s KILL ocgate-slot@2; systemctl stop ocgate-slot@2"])
    wait_until(lambda: serves(gateway) == (1, OLD), seconds=60, what="The old release")
    wait_until(lambda: "it ended" in last_event(gateway), seconds=10, what="The word of it")


def test_one_that_does_not_start_leaves_the_old_one_serving(lab: Lab, gateway: Gateway, door: Door) -> None:
    ocserv = gateway.machine.live / f"var/lib/ocgate/releases/{NEW}/sbin/ocserv"
    whole = ocserv.read_bytes()
    try:
        ocserv.write_text(DIES)
        said = door.answer("replace", release=NEW, cut_at_most=3, seconds=60)["error"]
    finally:
        put_back(ocserv, whole)
    assert said["code"] == "start_failed"
    assert f"{OLD} was started again in slot 1 and serves. 3 users were cut: user" in said["say"]
    assert serves(gateway) == (1, OLD)
    assert door.ask("facts")["trial"] is None


DIES = "#!/bin/sh\ncase $* in *-t*) exit 0;; *--help*) exit 0;; esac\necho no luck >&2\nexit 3\n"


def put_back(path: Path, data: bytes) -> None:
    whole = path.with_name("whole")
    whole.write_bytes(data)
    whole.chmod(0o755)
    whole.replace(path)


def test_what_it_does_not_read_is_known_before_anybody_is_cut(gateway: Gateway, door: Door) -> None:
    ids = {session["id"] for session in gateway.sessions()}
    assert door.refused("replace", release="9.9", cut_at_most=3, seconds=60) == "unknown_release"
    assert door.refused("replace", release=NEW, cut_at_most=3, seconds=60, slot=1) == "slot_busy"
    assert {session["id"] for session in gateway.sessions()} == ids


@pytest.mark.parametrize("moment", [0.3, 1.0, 1.8])
def test_a_power_cut_while_it_is_replaced_ends_with_the_old_one(gateway: Gateway, door: Door, moment: float) -> None:
    argv = ["nsenter", "--target", str(gateway.machine.init), "--all", "/usr/lib/ocgate/ocgate", "serve"]
    fence = door.ask("facts")["fence"] + 1
    args = f'{{"release":"{NEW}","cut_at_most":3,"seconds":600}}'
    asked = f'{{"v":3,"id":"x","verb":"replace","fence":{fence},"args":{args}}}\n'
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as serve:
        assert serve.stdin
        serve.stdin.write(asked.encode())
        serve.stdin.flush()
        time.sleep(moment)
        gateway.power_off()
    gateway.power_on()
    wait_until(lambda: serves(gateway) == (1, OLD), seconds=60, what="The committed release")
    with Door(gateway) as again:
        wait_until(lambda: again.ask("facts")["trial"] is None, seconds=30, what="The trial's end")


def test_a_killed_program_leaves_the_old_one_serving(gateway: Gateway, door: Door) -> None:
    argv = ["nsenter", "--target", str(gateway.machine.init), "--all", "/usr/lib/ocgate/ocgate", "serve"]
    asked = '{"v":3,"id":"x","verb":"replace","fence":%d,"args":{"release":"%s","cut_at_most":3,"seconds":600}}\n'
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True) as serve:
        assert serve.stdin
        serve.stdin.write((asked % (door.ask("facts")["fence"] + 1, NEW)).encode())
        serve.stdin.flush()
        stopped = "systemctl is-active --quiet ocgate-slot@1 || echo stopped"
        wait_until(lambda: "stopped" in gateway.run(["sh", "-c", stopped]), seconds=30, what="The stop", every=0.01)
        os.killpg(serve.pid, signal.SIGKILL)
    wait_until(lambda: serves(gateway) == (1, OLD), seconds=60, what="The old release")


def test_nobody_comes_in_while_users_are_counted_and_cut(lab: Lab, gateway: Gateway) -> None:
    last = lab.clients.all[-1]
    last.vpn.stop()
    wait_until(lambda: len(gateway.sessions()) == 2, seconds=30, what="One user's end")
    ids = {session["id"] for session in gateway.sessions()}
    gateway.run(["python3", "-c", TOLD + "reload.take_up(own, SYSTEM, slot, derive.full(text))"])
    last.vpn.start()
    wait_until(lambda: not last.vpn.running, seconds=40, what="The refusal")
    assert {session["id"] for session in gateway.sessions()} == ids
    gateway.run(["python3", "-c", TOLD + "reload.again(own, SYSTEM, slot)"])
    everyone_there(lab, gateway, slot=1)


TOLD = """
import sys
sys.path.insert(0, "/usr/lib/ocgate/ocgate")
from ocgate import config, derive, reload, slots, state
from ocgate.paths import SYSTEM
own, now = config.load(SYSTEM.config), state.load(SYSTEM)
slot, text = slots.look(1, now, SYSTEM), SYSTEM.slot_conf(1).read_text()
"""


def test_what_is_on_trial_is_not_retired(gateway: Gateway, door: Door) -> None:
    instead(door, seconds=600)
    assert door.refused("retire", slot=2, cut_at_most=9) == "slot_busy"
    assert serves(gateway) == (2, NEW)


def test_a_kernel_that_takes_no_rules_is_known(gateway: Gateway) -> None:
    words = (
        "import sys; sys.path.insert(0, '/usr/lib/ocgate/ocgate'); from ocgate import ability; print(ability.broken())"
    )
    assert gateway.run(["python3", "-c", words]).strip() == "nft does not run here"


def test_nothing_but_ours_is_left_after_leaving(gateway: Gateway) -> None:
    gateway.run(["/usr/lib/ocgate/ocgate", "uninstall", "--cut"], seconds=60)
    look = ["sh", "-c", "ps -eo args | grep -E '[o]cserv|[o]cgate' || true"]
    wait_until(lambda: gateway.run(look) == "", seconds=10, what="The end of every process")
