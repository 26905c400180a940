"""Broken requests to a VPN server's port, as scanners and bad clients send them."""

from __future__ import annotations

import os
import socket
import ssl

from lab.matrix_behind import inside

SECONDS = 1.5
REQUESTS = {
    "an unknown method": b"FROBNICATE / HTTP/1.1\r\nHost: vpn\r\n\r\n",
    "a header of 64 KiB": b"GET / HTTP/1.1\r\nHost: vpn\r\nX-Long: " + b"a" * 65536 + b"\r\n\r\n",
    "a form that is no XML": b"POST / HTTP/1.1\r\nHost: vpn\r\nContent-Length: 9\r\n\r\n<config-a",
    "a length that is no number": b"POST / HTTP/1.1\r\nHost: vpn\r\nContent-Length: many\r\n\r\n",
    "a cookie that nobody gave": (
        b"CONNECT /CscoSslTunnel HTTP/1.1\r\nHost: vpn\r\nCookie: webvpn=" + b"QUJD" * 20 + b"\r\n\r\n"
    ),
    "half a request": b"GET / HT",
}


def pester(space: str, address: str) -> dict[str, str]:
    """Send each of them from a namespace; how the server took it."""
    taken = {"bytes that are no TLS": _plain(space, address, os.urandom(512))}
    taken["a connection that says nothing"] = _plain(space, address, b"")
    return taken | {name: _over_tls(space, address, data) for name, data in REQUESTS.items()}


def _connect(space: str, address: str) -> socket.socket:
    with inside(space):
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.settimeout(SECONDS)
    opened.connect((address, 443))
    return opened


def _plain(space: str, address: str, data: bytes) -> str:
    try:
        with _connect(space, address) as opened:
            opened.sendall(data)
            if not data:
                return "left alone"
            return _first_line(opened)
    except OSError as failure:
        return f"closed ({failure})"


def _over_tls(space: str, address: str, data: bytes) -> str:
    # Whom we talk to is known: the lab's own gateway. What is asked is how it takes the request.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connect(space, address) as opened, context.wrap_socket(opened) as safe:
            safe.sendall(data)
            return _first_line(safe)
    except OSError as failure:
        return f"closed ({failure})"


def _first_line(opened: socket.socket) -> str:
    try:
        return opened.recv(4096).split(b"\r\n")[0].decode(errors="replace")[:80] or "closed"
    except TimeoutError:
        return f"no answer in {SECONDS:.0f} s"
