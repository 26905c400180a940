"""Requests made to break it, over the real SSH with its forced command and sudo: refused, logged, nothing run."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door

FACTS = b'{"v":2,"id":"f","verb":"facts","args":{}}\n'


def ssh(lab: Lab, gateway: Gateway, *command: str, stdin: bytes = FACTS) -> list[dict[str, Any]]:
    """What a session with the controller's key answers, line by line."""
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    where = ["-i", str(lab.controller_key), "-p", str(gateway.port), f"{gateway.user}@{gateway.address}"]
    done = subprocess.run(
        ["ssh", *options, *where, *command], input=stdin, capture_output=True, timeout=30, check=False
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_controllers_key_reaches_ocgate_and_nothing_else(lab: Lab, gateway: Gateway) -> None:
    assert ssh(lab, gateway)[0]["ok"]
    assert ssh(lab, gateway, "ocgate serve")[0]["ok"]


@pytest.mark.parametrize(
    "command", ["id > /tmp/owned", "ocgate serve; touch /tmp/owned", "ocgate\nserve", "bash", "sftp"]
)
def test_a_command_that_was_asked_for_is_refused_and_not_run(lab: Lab, gateway: Gateway, command: str) -> None:
    said = ssh(lab, gateway, command)
    assert [line["error"]["code"] for line in said] == ["bad_request"]
    assert gateway.run(["sh", "-c", "ls /tmp/owned 2>/dev/null || true"]) == ""
    assert "a command was asked for" in gateway.run(["tail", "-n", "1", "/var/log/ocgate.log"])


def test_forwarding_is_refused(lab: Lab, gateway: Gateway) -> None:
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    where = ["-i", str(lab.controller_key), "-W", "127.0.0.1:22", f"{gateway.user}@{gateway.address}"]
    done = subprocess.run(["ssh", *options, *where], input=b"", capture_output=True, timeout=30, check=False)
    assert done.returncode != 0
    assert done.stdout == b""


BROKEN = {
    "unknown verb": b'{"v":2,"id":"x","verb":"exec","args":{}}',
    "unknown field": b'{"v":2,"id":"x","verb":"facts","args":{"path":"/etc"}}',
    "path as release": b'{"v":2,"id":"x","verb":"check","args":{"release":"../../etc","slot":1}}',
    "newline in release": b'{"v":2,"id":"x","verb":"check","args":{"release":"a\\nb","slot":1}}',
    "no fence": b'{"v":2,"id":"x","verb":"commit","args":{"slot":1}}',
    "not utf-8": b'{"v":2,"id":"\xff\xfe","verb":"facts","args":{}}',
    "no json": b"facts",
    "doubled key": b'{"v":2,"id":"x","verb":"facts","verb":"commit","args":{}}',
    "deep": b"[" * 100000,
    "nul": b"\0\0\0",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_refused_logged_and_the_next_one_answered(gateway: Gateway, door: Door, name: str) -> None:
    door.send(BROKEN[name] + b"\n")
    said = door.line()
    assert (said["id"], said["ok"], said["error"]["code"]) == (None, False, "bad_request")
    logged = json.loads(gateway.run(["tail", "-n", "1", "/var/log/ocgate.log"]))
    assert logged["refused"] == "bad_request"
    assert door.ask("facts")["hostname"] == "gw1"


@pytest.mark.parametrize("data", [b"x" * 300_000 + b"\n", b'{"v":2,"id":"x"'], ids=["too long", "cut"])
def test_a_line_without_end_is_refused_and_the_channel_closed(lab: Lab, gateway: Gateway, data: bytes) -> None:
    said = ssh(lab, gateway, stdin=data)
    assert [line["error"]["code"] for line in said] == ["bad_request"]


def test_an_older_fence_is_refused_and_an_equal_one_is_the_same_claim(door: Door) -> None:
    fence = door.ask("facts")["fence"] + 10
    assert door.answer("commit", slot=1, fence=fence)["ok"]
    assert door.answer("commit", slot=1, fence=fence)["result"]["already"]
    assert door.answer("commit", slot=1, fence=fence - 1)["error"]["code"] == "fence_too_low"


def test_passwords_are_never_logged(lab: Lab, gateway: Gateway, door: Door) -> None:
    secret = gateway.probe.password
    assert door.ask("probe", slot=1, user=gateway.probe.user, password=secret)["ok"]
    assert door.refused("probe", slot=3, user=gateway.probe.user, password=secret) == "slot_not_running"
    assert secret not in gateway.run(["cat", "/var/log/ocgate.log"])
