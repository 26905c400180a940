"""The sockets that answer nothing: on loopback, where the kernel resets and refuses as it does on the wan."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fleet.ocgate.config import Config
from fleet.ocgate.stealth import Stealth
from tests.unit.ocgate.values import config


@pytest.fixture
def here() -> Config:
    """A gateway whose public address is loopback, on a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    return replace(config(), public4=("127.0.0.1",), public6=(), port=port)


@pytest.fixture
def stealth() -> Iterator[Stealth]:
    held = Stealth()
    yield held
    held.release()


def tcp(port: int) -> str:
    with socket.socket() as asked:
        asked.settimeout(0.2)
        try:
            asked.connect(("127.0.0.1", port))
        except OSError as failure:
            return type(failure).__name__
    return "connected"


def udp(port: int) -> str:
    with socket.socket(type=socket.SOCK_DGRAM) as asked:
        asked.settimeout(0.2)
        asked.connect(("127.0.0.1", port))
        asked.send(b"?")
        try:
            asked.recv(1)
        except OSError as failure:
            return type(failure).__name__
    return "answered"


def test_the_port_is_silent_while_it_is_held(here: Config, stealth: Stealth) -> None:
    assert (tcp(here.port), udp(here.port)) == ("ConnectionRefusedError", "ConnectionRefusedError")
    stealth.hold(here)
    stealth.hold(here)
    assert (tcp(here.port), udp(here.port)) == ("TimeoutError", "TimeoutError")
    stealth.release()
    assert (tcp(here.port), udp(here.port)) == ("ConnectionRefusedError", "ConnectionRefusedError")


def test_what_another_process_listens_on_stays_with_it(here: Config, stealth: Stealth) -> None:
    with socket.create_server(("127.0.0.1", here.port)):
        stealth.hold(here)
        assert tcp(here.port) == "connected"
    stealth.hold(here)
    assert tcp(here.port) == "TimeoutError"
