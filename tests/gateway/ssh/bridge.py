"""The forced command of the tests' sshd: joins standard input and output to the test's own socket. Stdlib only.

argv: the folder with `peer.sock`, and `stderr` with the number of bytes to write to standard error at the beginning.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path


def main(folder: Path) -> None:
    """Copy both ways until one side ends."""
    count = folder / "stderr"
    if count.exists():
        os.write(2, b"sudo: a sad end\n")
        left = int(count.read_text())
        while left > 0:
            left -= os.write(2, b"e" * min(left, 65536))
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(folder / "peer.sock"))
        threading.Thread(target=to_peer, args=(peer,), daemon=True).start()
        while data := peer.recv(65536):
            while data:
                data = data[os.write(1, data) :]


def to_peer(peer: socket.socket) -> None:
    while data := os.read(0, 65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)


main(Path(sys.argv[1]))
