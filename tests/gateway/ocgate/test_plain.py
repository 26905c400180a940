"""A gateway without systemd: ocgate supervises its slots itself."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.ocgate.build import build
from lab import faults
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, slots_of, started
from tests.gateway.ocgate.guests import lost

NEW = "1.3.0-2"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One gateway whose PID 1 is a shell script, and two users."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDOVER_LAB_INIT", "plain")
        with Lab(gateways=1, users=2, say=lambda _text: None) as standing:
            yield standing


@pytest.fixture
def gateway(lab: Lab) -> Gateway:
    """The gateway, as the tests before left it."""
    return lab.gateways[0]


def serving(gateway: Gateway) -> dict[int, str]:
    with Door(gateway) as door:
        return {slot["slot"]: slot["state"] for slot in door.ask("facts")["slots"] if slot["pid"]}


def test_a_handover_loses_nothing_there_either(lab: Lab, gateway: Gateway) -> None:
    before, users = lost(lab), slots_of(gateway)
    with Door(gateway) as door:
        started(door, lab.releases[NEW], 2)
        door.ask("shift", weights={"2": 100}, seconds=60)
        door.ask("commit", slot=2)
    assert serving(gateway) == {1: "draining", 2: "serving"}
    assert lost(lab) == before
    assert slots_of(gateway) == users


def test_a_killed_ocserv_is_started_again_by_its_parent(gateway: Gateway) -> None:
    faults.stop_ocserv_of(gateway, 2)
    wait_until(lambda: serving(gateway).get(2) == "serving", seconds=40, what="The restart")


def test_one_that_dies_at_once_is_said_with_its_last_words(lab: Lab, gateway: Gateway) -> None:
    gateway.run(
        ["sh", "-c", "mkdir -p /run/ocgate/3; cp -r /var/lib/ocgate/releases/1.3.0-2 /var/lib/ocgate/releases/x"]
    )
    gateway.run(
        ["sh", "-c", "printf '#!/bin/sh\\necho no luck >&2; exit 3\\n' > /var/lib/ocgate/releases/x/sbin/ocserv"]
    )
    with Door(gateway) as door:
        said = door.answer("start", release="x", slot=3)
    assert said["error"]["code"] == "start_failed"
    assert "no luck" in said["error"]["say"]
    assert 3 not in serving(gateway)


def test_keep_goes_on_as_the_ocgate_that_was_put_in_its_place(gateway: Gateway, tmp_path: Path) -> None:
    pid, users = gateway.run(["cat", "/run/ocgate/keep.pid"]), slots_of(gateway)
    program = newer(tmp_path)
    staged = gateway.machine.live / "usr/lib/ocgate/ocgate.new"
    staged.write_bytes(program)
    gateway.run(["sh", "-c", "cd /usr/lib/ocgate && chmod 755 ocgate.new && mv ocgate.new ocgate"])
    wait_until(lambda: "keep_renewed" in codes(gateway), seconds=30, what="A look at the program")
    wait_until(lambda: keeps(gateway), seconds=10, what="The new one's lock")
    faults.flush_ruleset(gateway)
    wait_until(lambda: "table_is_back" in codes(gateway), seconds=30, what="What only the new one says")
    monitors = gateway.run(["sh", "-c", "ps -eo args | grep -c '^nft [m]onitor'"])
    assert (gateway.run(["cat", "/run/ocgate/keep.pid"]), monitors.strip()) == (pid, "1")
    assert slots_of(gateway) == users


def newer(folder: Path) -> bytes:
    """The lab's ocgate, which has another word for the table's return."""
    built = build(folder / "built")
    with zipfile.ZipFile(built) as old, zipfile.ZipFile(folder / "newer", "w") as new:
        for member in old.infolist():
            new.writestr(member, old.read(member).replace(b'"table_restored"', b'"table_is_back"'))
    return b"#!/usr/bin/python3\n" + (folder / "newer").read_bytes()


def codes(gateway: Gateway) -> list[str]:
    with Door(gateway) as door:
        return [event["code"] for event in door.ask("facts")["keep"]["events"]]


def keeps(gateway: Gateway) -> bool:
    with Door(gateway) as door:
        return bool(door.ask("facts")["keep"]["running"])


def test_keep_starts_the_committed_slot_after_a_reboot(gateway: Gateway) -> None:
    gateway.reboot()
    wait_until(lambda: serving(gateway) == {2: "serving"}, seconds=60, what="The committed slot")


def test_uninstall_ends_every_process(gateway: Gateway) -> None:
    gateway.run(["/usr/lib/ocgate/ocgate", "uninstall", "--cut"], seconds=60)
    look = ["sh", "-c", "ps -eo args | grep -E '[o]cserv|[o]cgate' || true"]
    wait_until(lambda: gateway.run(look) == "", seconds=10, what="The end of every process")
    assert gateway.run(["sh", "-c", "ls -d /usr/lib/ocgate /var/lib/ocgate/* /run/ocgate 2>/dev/null || true"]) == ""
