"""One client of the test matrix: an openconnect of a given version, and what goes through its tunnel."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lab.commands import LabError, wait_until
from lab.matrix_behind import ECHO_PORT, HEAD, INSIDE6, PATIENCE, STREAM_PORT, digest_from, give, inside, take
from lab.spaces import Corner
from lab.vpn import SCRIPT, Account, Vpn
from releases.matrix.ports import BenchFailed, Echoed, NoTunnel, Pushed, SignIn, Streamed

OWN_SCRIPT = Path(__file__).parent / "matrix_tunnel.sh"
SIGN_IN_SECONDS = 25.0
DTLS_SECONDS = 6.0
ANSWER_SECONDS = 1.0
LOG_MOST = 16 * 1024
HEADERS = {4: 28, 6: 48}  # bytes of an IP and a UDP header
WHY = re.compile(r"fail|error|denied|reject|refused|not acceptable|unexpected|invalid", re.IGNORECASE)
DTLS_UP = re.compile(r"Established DTLS connection|DTLS connected")
# Linux, <linux/in.h> and <linux/in6.h>; Python has no names for them.
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DO = 10, 23, 2


@dataclass(frozen=True)
class Wiring:
    """What all clients of a bench share: files, the CA of the gateway, the clients' certificates, and the gateway."""

    folder: Path
    ca: Path
    programs: Mapping[str, str]  # version → path
    certificates: Mapping[str, Path]  # "own" and "foreign": a folder with client.pem and client.key
    public: Mapping[int, str]  # 4 and 6
    index: int  # of the gateway


class Dialled(Vpn):
    """openconnect as a sign-in of the matrix wants it."""

    def __init__(self, corner: Corner, account: Account, wish: SignIn, wiring: Wiring) -> None:
        super().__init__(corner, account, folder=wiring.folder, ca=wiring.ca)
        self._wish, self._wiring = wish, wiring

    def words(self) -> list[str]:
        wish, wiring = self._wish, self._wiring
        version = wish.program or list(wiring.programs)[-1]
        words = [wiring.programs[version], "--non-inter", f"--cafile={wiring.ca}", "--no-system-trust"]
        words += ["--interface=tun0", f"--script={OWN_SCRIPT}", "--reconnect-timeout=30"]
        if not wish.dtls:
            words.append("--no-dtls")
        if wish.way in ("certificate", "foreign certificate"):
            folder = wiring.certificates["own" if wish.way == "certificate" else "foreign"]
            return [*words, f"--certificate={folder}/client.pem", f"--sslkey={folder}/client.key"]
        return [*words, "--passwd-on-stdin", f"--user={self.account.user}"]

    @property
    def told(self) -> str:
        """What openconnect said since this sign-in began."""
        return "\n".join(self.said)

    def start(self) -> None:
        self.stop()
        self.pushed_file.unlink(missing_ok=True)
        os.environ.setdefault("LAB_TUNNEL", str(SCRIPT))
        super().start()

    @property
    def pushed_file(self) -> Path:
        return self._events.with_suffix(".events.pushed")


class Tunnel:
    """A tunnel that is up. Raises NoTunnel from its making when the sign-in fails."""

    def __init__(self, vpn: Dialled, wish: SignIn, wiring: Wiring, *, session: Callable[[str], str]) -> None:
        self.vpn, self._wish, self._wiring, self._session = vpn, wish, wiring, session
        began = time.time()
        vpn.start()
        try:
            wait_until(self._up_or_failed, seconds=SIGN_IN_SECONDS, what="A tunnel", every=0.02)
        except LabError as late:
            vpn.stop()
            raise NoTunnel(str(late), self.log()) from late
        self.ready_ms = 1000 * (vpn.events()[0][0] - began)

    def _up_or_failed(self) -> bool:
        if not self.vpn.running:
            raise NoTunnel(reason(self.vpn.told), self.log())
        return self.vpn.connected

    def pushed(self) -> Pushed:
        """What the server told openconnect; waits until DTLS is up where it is wanted."""
        said = dict(line.split("=", 1) for line in self.vpn.pushed_file.read_text().splitlines() if "=" in line)
        if self._wish.dtls:
            with contextlib.suppress(LabError):
                wait_until(lambda: bool(DTLS_UP.search(self.vpn.told)), seconds=DTLS_SECONDS, what="DTLS")
        return Pushed(
            dtls=bool(DTLS_UP.search(self.vpn.told)),
            mtu=int(said.get("INTERNAL_IP4_MTU", "0")),
            address4=said.get("INTERNAL_IP4_ADDRESS", ""),
            address6=said.get("INTERNAL_IP6_NETMASK", said.get("INTERNAL_IP6_ADDRESS", "")),
            dns=tuple(said.get("INTERNAL_IP4_DNS", "").split()),
            routes=(*_routes(said, "CISCO_SPLIT_INC"), *_routes(said, "CISCO_IPV6_SPLIT_INC")),
        )

    def echo(self, sizes: Sequence[int], *, family: Literal[4, 6] = 4, pattern: bytes = b"") -> Echoed:
        seen = Echoed(0, 0, 0)
        with inside(self.vpn.corner.space):
            opened = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
        with opened:
            opened.settimeout(ANSWER_SECONDS)
            _never_fragment(opened, family)
            for number, size in enumerate(sizes):
                head = pattern + number.to_bytes(4, "big")
                body = os.urandom(max(0, size - HEADERS[family] - len(head)))
                back = self._asked(opened, family, head + body)
                good = back == head + body
                counts = {"answered": seen.answered + bool(back), "damaged": seen.damaged + bool(back and not good)}
                seen = replace(seen, sent=seen.sent + 1, **counts)
        return seen

    def _asked(self, opened: socket.socket, family: int, data: bytes) -> bytes:
        """Send and wait, twice at most: one packet may be lost while the tunnel changes from TLS to DTLS."""
        index = self._wiring.index
        target = INSIDE6.format(index=index) if family == 6 else f"10.200.{index}.2"
        for _ in range(2):
            with contextlib.suppress(OSError):
                opened.sendto(data, (target, ECHO_PORT))
                while (back := opened.recv(65536))[-4:] != data[-4:] or len(back) != len(data):
                    pass  # the answer to an earlier one
                return back
        return b""

    def stream(self, *, up: int, down: int) -> Streamed:
        with inside(self.vpn.corner.space):
            opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with opened:
            opened.settimeout(PATIENCE)
            try:
                opened.connect((f"10.200.{self._wiring.index}.2", STREAM_PORT))
                began = time.perf_counter()
                opened.sendall(HEAD.pack(up, down))
                whole = give(opened, up) == digest_from(opened)
                seen = take(opened, down)
                return Streamed(up, down, time.perf_counter() - began, whole and seen == digest_from(opened))
            except OSError:
                return Streamed(0, 0, PATIENCE, whole=False)

    def session(self) -> str:
        return self._session(self.vpn.account.user)

    def cut(self) -> None:
        before = len(self.vpn.events())
        try:
            self.vpn.corner.cut()
            wait_until(lambda: self._is_back(before) or not self.vpn.running, seconds=20, what="A reconnect")
        except LabError as late:
            raise NoTunnel(str(late), self.log()) from late
        if not self.vpn.running:
            raise NoTunnel(f"The client gave up after a cut: {reason(self.vpn.told)}", self.log())

    def _is_back(self, before: int) -> bool:
        return any(what == "reconnect" for _, what in self.vpn.events()[before:])

    def ended(self, *, seconds: float) -> bool:
        with contextlib.suppress(LabError):
            wait_until(lambda: not self.vpn.running, seconds=seconds, what="The end of the client")
        return not self.vpn.running

    def log(self) -> str:
        return self.vpn.told[-LOG_MOST:]

    def close(self) -> None:
        self.vpn.stop()


def reason(said: str) -> str:
    """The line of openconnect's words that says why it ended; not its last one, which says only that it did."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if WHY.search(line)]
    return (telling or lines or ["openconnect ended without a word."])[0 if telling else -1]


def _routes(said: Mapping[str, str], name: str) -> list[str]:
    count = int(said.get(name, "0"))
    return [f"{said[f'{name}_{number}_ADDR']}/{said[f'{name}_{number}_MASKLEN']}" for number in range(count)]


def _never_fragment(opened: socket.socket, family: int) -> None:
    if family == 6:
        opened.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
    else:
        opened.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)


def account_at(wiring: Wiring, user: str, password: str, family: int) -> Account:
    """Who signs in, at the gateway's public address of that family."""
    if family not in wiring.public:
        raise BenchFailed(f"The staging gateway has no IPv{family} address.")
    return Account(user, password, wiring.public[family])
