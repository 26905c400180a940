"""A server behind a balancer: takes connections on the ports it is told, and holds them until they are closed."""

from __future__ import annotations

import selectors
import socket
import sys


def main(ports: list[int]) -> None:
    chosen = selectors.DefaultSelector()
    for port in ports:
        chosen.register(socket.create_server(("127.0.0.1", port), backlog=100), selectors.EVENT_READ, True)
    print("ready", flush=True)
    while True:
        for key, _ in chosen.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if key.data:
                held, _ = sock.accept()
                chosen.register(held, selectors.EVENT_READ, False)
            elif not received(sock):
                chosen.unregister(sock)
                sock.close()


def received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except OSError:
        return b""


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
