"""How this machine itself comes to a slot's ocserv: by its own address, and where a balancer is expected, as one."""

from __future__ import annotations

import socket
from typing import NamedTuple

# PROXY protocol 2, command LOCAL: the balancer's own check, no user behind it (haproxy, doc/proxy-protocol.txt, 2.2).
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n" + b"\x20\x00\x00\x00"


class Door(NamedTuple):
    """Address and TCP port of a slot. `proxied`: it wants to be told first who comes."""

    address: str
    port: int
    proxied: bool = False


def connected(door: Door, *, seconds: float) -> socket.socket:
    """A TCP connection to the slot, ready for TLS. OSError when it can't be had."""
    plain = socket.create_connection((door.address, door.port), timeout=seconds)
    if door.proxied:
        try:
            plain.sendall(LOCAL)
        except OSError:
            plain.close()
            raise
    return plain
