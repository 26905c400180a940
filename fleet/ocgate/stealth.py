"""The public port is silent while our table is gone.

After `nft flush ruleset` a user's packets meet the bare host, where nothing listens on the public port: the kernel
would answer with a reset or "port unreachable", and the client would give a whole connection up. These sockets take
such packets and drop them, so that client and slot go on where they were when the table is back. While it stands they
see nothing: it translates before the kernel looks for a socket.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Dict, Tuple

from .config import Config

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
# struct sock_filter of classic BPF: return 0, which lets no packet through to the socket and answers none.
NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)


class Stealth:
    """One TCP and one UDP socket on each public address, as far as nobody else listens there."""

    def __init__(self) -> None:
        self._held: Dict[Tuple[str, int], socket.socket] = {}

    def hold(self, config: Config) -> None:
        """Take what is still missing. What another process listens on stays with it."""
        for address in (*config.public4, *config.public6):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                if (address, kind) not in self._held:
                    self._take(address, kind, port=config.port)

    def release(self) -> None:
        """Leave the port to whoever wants to listen."""
        while self._held:
            self._held.popitem()[1].close()

    def _take(self, address: str, kind: int, *, port: int) -> None:
        taken = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        try:
            _deafen(taken)
            taken.bind((address, port))
            if kind == socket.SOCK_STREAM:
                taken.listen(1)
        except OSError:
            taken.close()
            return
        self._held[(address, kind)] = taken


def _deafen(taken: socket.socket) -> None:
    """Before it is bound, so that not one packet is answered."""
    code = ctypes.create_string_buffer(NOTHING, len(NOTHING))
    taken.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(code)))
