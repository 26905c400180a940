"""What a test bench does: one staging gateway with the old and the new release side by side, and clients at it. Pure.

settings.MATRIX_BENCH names an Opener; lab.matrix has one that builds a gateway in namespaces. The tests ask only
through this protocol, so they do not know what the gateway is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from fleet.ports import ReleaseFiles
from releases.matrix.verdict import Verdict

Side = Literal["new", "old"]
Way = Literal["password", "wrong password", "certificate", "foreign certificate"]


class BenchFailed(Exception):
    """The bench can't go on, in one sentence. That says nothing about the release."""


class Unfit(Exception):
    """The new release can't be brought up, or is down: that is a verdict on it, in one sentence."""

    def __init__(self, say: str, log: str = "") -> None:
        super().__init__(say)
        self.say, self.log = say, log


class NoTunnel(Exception):
    """A sign-in that did not end in a tunnel; `log` is what the client said."""

    def __init__(self, say: str, log: str = "") -> None:
        super().__init__(say)
        self.say, self.log = say, log


@dataclass(frozen=True)
class Pair:
    """What is compared. `keys` are the armoured public keys of those who signed: the staging gateway pins them."""

    new: ReleaseFiles
    old: ReleaseFiles
    keys: tuple[str, ...]


@dataclass(frozen=True)
class SignIn:
    """One sign-in. `program` is one of Bench.programs, "" for the newest."""

    side: Side = "new"
    way: Way = "password"
    program: str = ""
    dtls: bool = True
    family: Literal[4, 6] = 4
    seat: int = 0  # of which of the side's clients; each has an address and an account of its own
    stranger: bool = False  # from a network that is not the gateway's own: only such addresses are banned


@dataclass(frozen=True)
class Pushed:
    """What the server told the client, and what came of it."""

    dtls: bool
    mtu: int
    address4: str
    address6: str
    dns: tuple[str, ...]
    routes: tuple[str, ...]  # "10.200.1.0/30"


@dataclass(frozen=True)
class Echoed:
    """Datagrams sent through the tunnel and answered from behind the gateway; `damaged` came back with other bytes."""

    sent: int
    answered: int
    damaged: int


@dataclass(frozen=True)
class Streamed:
    """One TCP connection through the tunnel: bytes up, then bytes down, each end hashing what it sees."""

    up: int
    down: int
    seconds: float
    whole: bool  # both hashes are those of what was sent


@dataclass(frozen=True)
class Usage:
    """What a slot uses now: the main process and all its descendants. Memory is proportional (PSS), in bytes."""

    cpu_seconds: float
    memory: int
    open_files: int
    processes: int
    restarts: int


@dataclass(frozen=True)
class Wire:
    """Packets that were seen while a pattern went through the tunnel, and how many of them showed it."""

    outside: int
    outside_with_pattern: int
    inside_with_pattern: int


class Tunnel(Protocol):
    """One client's tunnel."""

    ready_ms: float

    def pushed(self) -> Pushed: ...
    def echo(self, sizes: Sequence[int], *, family: Literal[4, 6] = 4, pattern: bytes = b"") -> Echoed:
        """Send one datagram per size (bytes of the IP packet, never fragmented) and wait for the answers."""

    def stream(self, *, up: int, down: int) -> Streamed: ...
    def session(self) -> str:
        """The server's id of this session; "" when it knows none."""

    def cut(self) -> None:
        """Reset its TCP connection, as an outage does, and wait until the client has reconnected; NoTunnel if not."""

    def ended(self, *, seconds: float) -> bool:
        """Whether the client gives up within so many seconds."""

    def log(self) -> str: ...
    def close(self) -> None: ...


class Bench(Protocol):
    """The staging gateway and its clients. Every method raises BenchFailed when the bench itself is broken."""

    place: str
    programs: tuple[str, ...]  # versions of openconnect, oldest first
    expected: Pushed  # what the gateway's configuration says a client must be told
    upgrade: Mapping[str, Any]  # how the new release came up: {"findings": [sentences], "ready_ms": n}

    @property
    def versions(self) -> Mapping[str, str]:
        """What takes part, for the record."""

    def sign_in(self, wish: SignIn) -> Tunnel: ...
    def wire(self, tunnel: Tunnel, pattern: bytes) -> AbstractContextManager[list[Wire]]:
        """Watch the packets outside and inside while the body runs; the list holds one Wire afterwards."""

    def reload(self, side: Side) -> None: ...
    def disconnect(self, tunnel: Tunnel) -> None: ...
    def pester(self, side: Side) -> Mapping[str, str]:
        """Send broken requests; name of each → how the server took it."""

    def usage(self, side: Side) -> Usage: ...
    def log(self, side: Side) -> str:
        """The end of the slot's log."""


class Opener(Protocol):
    """Builds a bench for a part of the matrix, with so many clients on each side; it is gone when the context ends."""

    def __call__(
        self, pair: Pair, *, part: str, users: int, say: Callable[[str], None]
    ) -> AbstractContextManager[Bench]: ...


@dataclass(frozen=True)
class Outcome:
    """What one test found. `numbers` keeps what the sentence was made of."""

    verdict: Verdict
    say: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""


def green(say: str, log: str = "", **numbers: Any) -> Outcome:
    return Outcome(Verdict.GREEN, say, numbers, log)


def red(say: str, log: str = "", **numbers: Any) -> Outcome:
    return Outcome(Verdict.RED, say, numbers, log)


def unclear(say: str, log: str = "", **numbers: Any) -> Outcome:
    return Outcome(Verdict.UNCLEAR, say, numbers, log)
