"""Nobody confirms: whatever died between controller and kernel, new clients are back on the committed slot in time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from fleet.errors import RetryLater
from fleet.gateways.kept import Keeper
from fleet.gateways.ssh import SshGateway
from fleet.ports import Facts, SlotRelease
from lab import faults
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, slots_of, started
from tests.gateway.ocgate.guests import sign_in
from tests.gateway.reach import reached

OLD, NEW = "1.1.6-3", "1.3.0-2"
TRIAL = 6  # seconds


@pytest.fixture
def controller(lab: Lab, gateway: Gateway) -> Iterator[SshGateway]:
    """The product's own adapter, over SSH."""
    keeper = Keeper()
    yield reached(gateway, keeper, lab.controller_key)
    keeper.close_all()


@pytest.fixture
def fence(lab: Lab, gateway: Gateway, door: Door) -> int:
    """The next one; the new release runs in slot 2, untried."""
    started(door, lab.releases[NEW], 2)
    return int(door.ask("facts")["fence"]) + 1


def is_back(gateway: Gateway) -> None:
    """The gateway says so itself, whoever asks."""

    def back() -> bool:
        with Door(gateway) as door:
            facts = door.ask("facts")
        return facts["trial"] is None and facts["weights"] == {"1": 100} and facts["committed"]["slot"] == 1

    wait_until(back, seconds=30, what="The end of the trial")


def lands_on_the_old(lab: Lab, gateway: Gateway, host: int) -> None:
    guest = sign_in(lab, gateway, host)
    assert slots_of(gateway)["guest1"] == 1
    guest.stop()


def test_renewed_and_then_silent(lab: Lab, gateway: Gateway, controller: SshGateway, fence: int) -> None:
    controller.shift({2: 100}, seconds=TRIAL, fence=fence)
    for _ in range(3):
        time.sleep(TRIAL / 2)
        assert controller.shift({2: 100}, seconds=TRIAL, fence=fence).already, "it lasts while it is renewed"
    is_back(gateway)
    lands_on_the_old(lab, gateway, 245)


def test_cut_off_between_shift_and_confirm(lab: Lab, gateway: Gateway, controller: SshGateway, fence: int) -> None:
    controller.shift({2: 100}, seconds=TRIAL, fence=fence)
    with faults.cut_off(gateway):
        with pytest.raises(RetryLater):
            controller.commit(2, fence=fence)  # lost on its way
        is_back(gateway)
        lands_on_the_old(lab, gateway, 246)
    # It can see again, and believes the gateway.
    facts = seen(controller)
    assert (facts.trial, facts.weights, facts.committed) == (None, {1: 100}, SlotRelease(1, OLD))


def seen(controller: SshGateway) -> Facts:
    def answers() -> bool:
        with suppress(RetryLater):
            controller.facts()
            return True
        return False

    wait_until(answers, seconds=40, what="The gateway's answer")
    return controller.facts()


def test_a_connection_that_hangs_half_open(gateway: Gateway, controller: SshGateway, fence: int) -> None:
    controller.shift({2: 100}, seconds=TRIAL, fence=fence)
    with frozen(gateway, "sshd"):
        with pytest.raises(RetryLater):
            controller.commit(2, fence=fence)
        is_back(gateway)
    # What it had taken before it stood still may be done now. If so, that is a trial again, which ends by itself.
    assert seen(controller).committed == SlotRelease(1, OLD)
    is_back(gateway)


@contextmanager
def frozen(gateway: Gateway, comm: str) -> Iterator[None]:
    """The machine's processes of that name stand still: they take what is sent and answer nothing."""
    found = gateway.run(["sh", "-c", f"pgrep -x {comm}"]).split()
    gateway.run(["kill", "-STOP", *found])
    try:
        yield
    finally:
        gateway.run(["sh", "-c", f"kill -CONT {' '.join(found)} || true"])


def test_sshd_is_dead(lab: Lab, gateway: Gateway, controller: SshGateway, fence: int) -> None:
    controller.shift({2: 100}, seconds=TRIAL, fence=fence)
    gateway.run(["sh", "-c", "systemctl stop ssh; kill -9 $(pgrep -x sshd) || true"])
    try:
        with pytest.raises(RetryLater):
            controller.commit(2, fence=fence)
        is_back(gateway)
        lands_on_the_old(lab, gateway, 247)
    finally:
        gateway.run(["systemctl", "start", "ssh"])
    assert seen(controller).weights == {1: 100}


def test_keep_is_dead_too(lab: Lab, gateway: Gateway, controller: SshGateway, fence: int) -> None:
    controller.shift({2: 100}, seconds=TRIAL, fence=fence)
    gateway.run(["systemctl", "kill", "-s", "KILL", "ocgate-keep"])
    gateway.run(["systemctl", "stop", "ocgate-keep"])
    try:
        is_back(gateway)
        lands_on_the_old(lab, gateway, 248)
    finally:
        gateway.run(["systemctl", "start", "ocgate-keep"])


def test_a_serve_that_is_killed_while_its_shift_waits(gateway: Gateway, door: Door, fence: int) -> None:
    argv = ["nsenter", "--target", str(gateway.machine.init), "--all", "/usr/lib/ocgate/ocgate", "serve"]
    args = '{"weights":{"2":100},"seconds":60,"after_ms":3000}'
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True) as serve:
        assert serve.stdin
        serve.stdin.write(f'{{"v":3,"id":"x","verb":"shift","fence":{fence},"args":{args}}}\n'.encode())
        serve.stdin.flush()
        wait_until(lambda: door.ask("facts")["fence"] == fence, seconds=20, what="The request", every=0.05)
        os.killpg(serve.pid, signal.SIGKILL)
    time.sleep(3.5)
    assert door.ask("facts")["trial"] is None


def test_a_shift_waits_and_a_restore_does_not(gateway: Gateway, controller: SshGateway, door: Door, fence: int) -> None:
    before = door.ask("facts")["now"]
    shifted = controller.shift({2: 100}, seconds=60, fence=fence, after_ms=2000)
    assert before + 1.9 <= shifted.applied_at
    with Door(gateway) as other:
        args = {"weights": {"2": 100}, "seconds": 60, "after_ms": 20_000}
        asked = {"v": 3, "id": "x", "verb": "shift", "fence": fence + 1, "args": args}
        other.send(json.dumps(asked).encode() + b"\n")
        wait_until(lambda: door.ask("facts")["fence"] == fence + 1, seconds=10, what="The request", every=0.05)
        assert not controller.restore("committed", fence=fence + 1).already
        assert other.line()["error"]["code"] == "superseded"
    assert door.ask("facts")["weights"] == {"1": 100}
