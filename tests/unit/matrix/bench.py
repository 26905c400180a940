"""A bench in memory: a gateway that does all as it should, but for the faults that a test names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from releases.matrix.ports import (
    BenchFailed,
    Echoed,
    NoTunnel,
    Pair,
    Pushed,
    Side,
    SignIn,
    Streamed,
    Unfit,
    Usage,
    Wire,
)

TOLD = Pushed(True, 1434, "10.101.8.2", "fd10::2/128", ("10.200.1.2",), ("10.200.1.0/30", "fd0a:200:1::/64"))


@dataclass
class Faults:
    """What is wrong with the new release."""

    names: frozenset[str] = frozenset()
    login_ms: float = 40.0
    kept: int = 0  # bytes for each login
    files: int = 0  # left open by each login
    stream_seconds: float = 0.1

    def __contains__(self, name: str) -> bool:
        return name in self.names


@dataclass
class Server:
    """One side: who is on it, and what it uses."""

    faults: Faults
    logins: int = 0
    on: int = 0
    cpu: float = 0.0
    guesses: int = 0
    restarts: int = 0


@dataclass
class FakeTunnel:
    server: Server
    wish: SignIn
    ready_ms: float
    out: bool = False
    cut_off: bool = False

    def pushed(self) -> Pushed:
        told = replace(TOLD, dtls=self.wish.dtls and "dtls" not in self.server.faults)
        if "routes" in self.server.faults:
            told = replace(told, routes=told.routes[:1])
        return replace(told, mtu=1200) if "mtu" in self.server.faults else told

    def echo(self, sizes: Sequence[int], *, family: Literal[4, 6] = 4, pattern: bytes = b"") -> Echoed:
        lost = self.out or (family == 6 and "ipv6" in self.server.faults)
        return Echoed(len(sizes), 0 if lost else len(sizes), 0)

    def stream(self, *, up: int, down: int) -> Streamed:
        return Streamed(up, down, self.server.faults.stream_seconds, whole="bytes" not in self.server.faults)

    def session(self) -> str:
        return "" if self.out else "another" if self.cut_off and "cookie" in self.server.faults else "one"

    def cut(self) -> None:
        self.cut_off = True

    def ended(self, *, seconds: float) -> bool:
        return self.out

    def log(self) -> str:
        return "the client's words"

    def close(self) -> None:
        self.server.on -= 1


@dataclass
class FakeBench:
    new: Server
    old: Server = field(default_factory=lambda: Server(Faults()))
    place: str = "memory"
    programs: tuple[str, ...] = ("9.01", "9.21")
    versions: Mapping[str, str] = field(default_factory=lambda: {"openconnect": "9.01 and 9.21"})
    expected: Pushed = TOLD
    upgrade: Mapping[str, Any] = field(default_factory=lambda: {"findings": [], "ready_ms": 200})
    tunnels: list[FakeTunnel] = field(default_factory=list)

    def _side(self, side: Side) -> Server:
        return self.new if side == "new" else self.old

    def sign_in(self, wish: SignIn) -> FakeTunnel:
        server = self._side(wish.side)
        if why := self._refusal(server, wish):
            server.guesses += wish.way == "wrong password"
            raise NoTunnel(why, "the client's words")
        server.logins += 1
        server.on += 1
        server.cpu += 0.05
        self.tunnels.append(FakeTunnel(server, wish, server.faults.login_ms * (1 + server.logins % 7 / 50)))
        return self.tunnels[-1]

    def _refusal(self, server: Server, wish: SignIn) -> str:
        faults = server.faults
        if wish.program and f"openconnect {wish.program}" in faults:
            return "Unknown client."
        if wish.stranger and server.guesses >= 5 and "bans" not in faults:
            return "Connection reset."
        refused = {
            "password": "password" in faults,
            "wrong password": "guesses" not in faults,
            "certificate": "certificate" in faults,
            "foreign certificate": "foreign" not in faults,
        }
        return "Login failed." if refused[wish.way] else ""

    @contextlib.contextmanager
    def wire(self, tunnel: Any, pattern: bytes) -> Iterator[list[Wire]]:
        found: list[Wire] = []
        yield found
        found.append(Wire(20, 3 if "plain" in self.new.faults else 0, 20))

    def reload(self, side: Side) -> None:
        if "reload" in self._side(side).faults:
            for tunnel in self.tunnels:
                tunnel.out = True

    def disconnect(self, tunnel: Any) -> None:
        tunnel.out = "disconnect" not in self.new.faults

    def pester(self, side: Side) -> Mapping[str, str]:
        self._side(side).restarts += "crash" in self._side(side).faults
        return {"a header of 64 KiB": "closed"}

    def usage(self, side: Side) -> Usage:
        server = self._side(side)
        if "down" in server.faults and server.logins > 3:
            raise Unfit("The new release does not run any more.", "its log")
        kept, files = server.logins * server.faults.kept, server.logins * server.faults.files
        memory = 8_000_000 + server.on * 1_000_000 + kept
        return Usage(server.cpu, memory, 28 + 6 * server.on + files, 3 + server.on, server.restarts)

    def log(self, side: Side) -> str:
        return "the server's words"


def bench_with(*names: str, **amounts: Any) -> FakeBench:
    return FakeBench(Server(Faults(frozenset(names), **amounts)))


def opener(made: FakeBench, *, broken: str = "") -> Callable[..., Any]:
    """An Opener that gives this bench, or breaks."""

    @contextlib.contextmanager
    def opened(pair: Pair, *, part: str, users: int, say: Callable[[str], None]) -> Iterator[FakeBench]:
        if broken:
            raise BenchFailed(broken)
        say("up")
        yield made

    return opened
