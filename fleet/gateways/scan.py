"""Which host keys a machine shows, without signing in: what a person compares before anything is pinned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import paramiko

from fleet.errors import Unfinished
from fleet.gateways.dial import HOST_KEY_TYPES, NEGOTIATE_SECONDS, Target, connect, fingerprint_of, negotiate, weak

LOG = "paramiko.scan"  # settings.LOGGING keeps it quiet: a kind of key that a machine lacks is no error of anybody
AT_ONCE = 16  # machines that are scanned at the same time


@dataclass(frozen=True)
class Scanned:
    """What one machine showed; `say` is why there is nothing."""

    address: str
    port: int
    keys: tuple[tuple[str, str], ...] = ()  # (kind, base64)
    say: str = ""

    @property
    def fingerprints(self) -> list[tuple[str, str]]:
        """(kind, fingerprint as ssh-keygen -l prints it)."""
        return [(kind, fingerprint_of(key)) for kind, key in self.keys]


def _silent(done: int, total: int) -> None:
    """Nobody wants to know how far it is."""


def scan(address: str, port: int) -> Scanned:
    """Ask a machine for its host keys of the kinds that we use; one connection a kind, nothing is sent to it."""
    found: list[tuple[str, str]] = []
    say = ""
    for kind in HOST_KEY_TYPES:
        try:
            found.append(_shown(address, port, kind))
        except Unfinished as failure:
            say = say or failure.say
            if failure.code == "unreachable":
                break  # nobody is there: the next kind would wait as long
    return Scanned(address, port, tuple(found), "" if found else say)


def scan_all(places: Sequence[tuple[str, int]], *, tell: Callable[[int, int], None] = _silent) -> list[Scanned]:
    """Scan many machines beside each other, in their order; `tell` gets how many of how many are done."""
    if not places:
        return []
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(places))) as pool:
        asked = [pool.submit(scan, address, port) for address, port in places]
        for done, _ in enumerate(as_completed(asked), 1):
            tell(done, len(places))
        return [one.result() for one in asked]


def _shown(address: str, port: int, kind: str) -> tuple[str, str]:
    target = Target(address, address, port, "", ((kind, ""),))
    transport = paramiko.Transport(connect(target), disabled_algorithms=weak())
    transport.daemon = True
    transport.set_log_channel(LOG)
    transport.banner_timeout = transport.handshake_timeout = NEGOTIATE_SECONDS
    try:
        transport.get_security_options().key_types = list(HOST_KEY_TYPES[kind])
        negotiate(transport, target)
        key = transport.get_remote_server_key()
        return key.get_name(), key.get_base64()
    finally:
        transport.close()
