"""One real sign-in by openconnect: the time of each phase, and what goes through the tunnel."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import queue
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from typing import IO, Any, Dict, List, Optional, Tuple, cast

from . import reads
from .space import Space
from .words import Wish

AGENT = "Open AnyConnect VPN Agent probegate"
PINGS, PING_EVERY = 10, 0.2  # as seldom as anybody may ping
BULK, BULK_BYTES, BULK_AHEAD = 60, 1200, 8  # echo packets: 72 KB each way
DTLS_SECONDS = 2.0  # it is up within one; a tunnel without it is slower, so it is waited for
END_SECONDS = 4.0  # a client that says BYE leaves nothing behind on the gateway
LINES_MOST = 400
PROBED = Dict[str, Any]


class Login:
    """openconnect at work. `stage` and `at` say how far it came and when, seconds since its first word."""

    def __init__(self, wish: Wish, space: Space, *, ca: str) -> None:
        self.wish, self.stage = wish, ""
        self.said: List[str] = []
        self.at: Dict[str, float] = {}
        self.told: Optional[Dict[str, str]] = None
        self.dtls = False
        self.connections = 0  # each costs a point with ocserv
        self._token = secrets.token_hex(8)
        self._lines: "queue.Queue[Tuple[float, Optional[str]]]" = queue.Queue()
        self._began = time.monotonic()
        config = _config(wish)
        try:
            self._process = subprocess.Popen(
                [
                    *self._words(space.pid, ca),
                    *(f"--config=/dev/fd/{number}" for number in config),
                    f"https://{wish.where}/",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=config,
            )
        finally:
            for number in config:
                os.close(number)
        self._out = cast(IO[bytes], self._process.stdout)
        with contextlib.suppress(OSError), cast(IO[bytes], self._process.stdin) as door:  # it may have ended already
            door.write(wish.password.encode() + b"\n")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, *, until: float, dtls: bool = False) -> bool:
        """Read what it says until the tunnel stands (or DTLS does); False when it ended or time is over before."""
        while not (self.dtls if dtls else self.told):
            try:
                at, line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return False
            if line is None:
                return False
            self._take(at, line)
        return True

    def end(self) -> None:
        """Sign out, wait, and kill what does not end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        self._out.close()

    def _words(self, pid: int, ca: str) -> List[str]:
        own = [sys.executable, "-I", sys.argv[0], "script", self._token, str(pid)]
        # Whoever kills us kills it: a tunnel that nobody watches would stay up for ever.
        words = ["setpriv", "--pdeathsig", "INT", "openconnect", "--non-inter", "--passwd-on-stdin"]
        words += [f"--user={self.wish.user}", f"--useragent={AGENT}", "--reconnect-timeout=1"]
        words += [f"--cafile={ca}"] if ca else []
        return [*words, "--script", " ".join(map(shlex.quote, own))]

    def _read(self) -> None:
        for raw in self._out:
            self._lines.put((time.monotonic(), raw[:2000].decode("utf-8", "replace").strip()))
        self._lines.put((time.monotonic(), None))

    def _take(self, at: float, line: str) -> None:
        if line.startswith(self._token + " "):
            self.told = json.loads(line[len(self._token) :])
            self.stage = "traffic"
            self.at["traffic"] = at - self._began
            return
        if self.wish.secret:
            line = line.replace(self.wish.secret, "…")
        if len(self.said) < LINES_MOST:
            self.said.append("".join(c for c in line if c.isprintable()))
        self.dtls = self.dtls or bool(reads.DTLS.search(line))
        self.connections += bool(reads.CONNECTED.search(line))
        found = reads.stage_of(line)
        if found and (not self.stage or reads.STAGES.index(found) > reads.STAGES.index(self.stage)):
            self.stage = found
            self.at[found] = at - self._began


def _config(wish: Wish) -> Tuple[int, ...]:
    """A pipe with the path of the first request, where that is a secret: on the command line everybody could read it.

    openconnect calls that path the user group, and asks for https://HOST/?SECRET.
    """
    if not wish.secret:
        return ()
    reading, writing = os.pipe()
    os.write(writing, f"usergroup=?{wish.secret}\n".encode())
    os.close(writing)
    return (reading,)


def signed_in(wish: Wish, *, ca: str) -> PROBED:
    """One probe, never longer than `wish.seconds` and a moment."""
    until = time.monotonic() + wish.seconds
    with Space() as space:
        login = Login(wish, space, ca=ca)
        try:
            up = login.wait(until=until)
            found = {"stage": login.stage or "connect", **_times(login), "connections": login.connections}
            if not up:
                outcome, why = reads.outcome_of(
                    found["stage"], login.said, late=time.monotonic() >= until, secret=bool(wish.secret)
                )
                return {**found, "outcome": outcome, "why": why}
            told = login.told or {}
            if "wrong" in told:
                return {**found, "stage": "tunnel", "outcome": "failed", "why": told["wrong"]}
            login.wait(until=min(until, time.monotonic() + DTLS_SECONDS), dtls=True)
            found.update(address=told["address"], dtls=login.dtls)
            return {**found, **_traffic(wish, space, told, until=until)}
        finally:
            login.end()


def _times(login: Login) -> PROBED:
    """Milliseconds from the first word of openconnect to the end of each phase."""
    began = login.at.get("connect", 0.0)
    ends = {"connect_ms": "tls", "handshake_ms": "form", "login_ms": "tunnel", "tunnel_ms": "traffic"}
    return {name: round((login.at[mark] - began) * 1000, 1) for name, mark in ends.items() if mark in login.at}


def _traffic(wish: Wish, space: Space, told: Dict[str, str], *, until: float) -> PROBED:
    """Ping with loss and jitter, then a burst of big echo packets, then the fetch that was wished for."""
    to = wish.ping or gateways_end(told)
    said = space.run(
        ["ping", "-n", "-c", str(PINGS), "-i", str(PING_EVERY), "-W", "1", to],
        seconds=min(until - time.monotonic(), PINGS * PING_EVERY + 3),
    )
    sent, came, times = reads.echoes(said)
    found: PROBED = {"pinged": to, "sent": sent, "lost": sent - came}
    if not times:
        return {**found, "outcome": "silent", "why": f"nothing came back from {to}"}
    found.update(rtt_ms=round(reads.median(times), 2), jitter_ms=round(reads.jitter(times), 2))
    if wish.fetch:
        return {**found, **fetched(wish, space, until=until)}
    return {**found, "outcome": "ok", "why": "", **_bulk(space, to, until=until)}


def _bulk(space: Space, to: str, *, until: float) -> PROBED:
    """How fast 72 KB go there and come back; nothing where the other end answers no big packets."""
    words = ["ping", "-n", "-c", str(BULK), "-i", "0.002", "-l", str(BULK_AHEAD), "-W", "1", "-s", str(BULK_BYTES), to]
    began = time.monotonic()
    said = space.run(words, seconds=min(until - began, 5))
    seconds = time.monotonic() - began
    sent, came, _ = reads.echoes(said)
    return {"kbit_s": round(2 * 8 * came * BULK_BYTES / 1000 / seconds)} if sent == BULK and came else {}


def fetched(wish: Wish, space: Space, *, until: float) -> PROBED:
    """What comes from the address behind the tunnel, by `probegate fetch` in the namespace."""
    words = [sys.executable, "-I", sys.argv[0], "fetch", wish.fetch]
    said = space.run(words, seconds=until - time.monotonic())
    try:
        told = json.loads(said or "{}")
    except ValueError:
        told = {}
    if not told.get("bytes"):
        return {"outcome": "no_fetch", "why": str(told.get("why", "no answer in time"))[:200]}
    return {"outcome": "ok", "why": "", "kbit_s": round(8 * told["bytes"] / 1000 / max(told["seconds"], 0.001))}


def gateways_end(told: Dict[str, str]) -> str:
    """The first address of the tunnel's network: ocserv keeps it for itself (ip-lease.c)."""
    try:
        return str(ipaddress.IPv4Address(told["net"]) + 1)
    except ValueError:
        return str(ipaddress.IPv4Address(told["address"]))
