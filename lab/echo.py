"""What stands behind the gateways: answers the clients' UDP probes, and HTTP-like on TCP 443. Runs in the lan."""

from __future__ import annotations

import contextlib
import selectors
import socket

PORT = 7007
HTTPS_PORT = 443
GREETING = b"HTTP/1.0 200 OK\r\n\r\nthrough the tunnel\n"


def main() -> None:
    """Serve until killed."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    udp.bind(("0.0.0.0", PORT))
    tcp = socket.create_server(("0.0.0.0", HTTPS_PORT))
    with selectors.DefaultSelector() as selector:
        selector.register(udp, selectors.EVENT_READ)
        selector.register(tcp, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                # A peer that is gone by the time of the answer is its own affair.
                with contextlib.suppress(OSError):
                    answer_udp(udp) if key.fileobj is udp else answer_tcp(tcp)


def answer_udp(server: socket.socket) -> None:
    """Send one datagram back to where it came from."""
    data, peer = server.recvfrom(2048)
    server.sendto(data, peer)


def answer_tcp(server: socket.socket) -> None:
    """Greet one connection and close it."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(1)
        connection.recv(4096)
        connection.sendall(GREETING)


if __name__ == "__main__":
    main()
