"""As far as the sign-in form, by ourselves: for gateways whose sign-in no program can do (one-time password, OIDC)."""

from __future__ import annotations

import re
import socket
import ssl
import time
from typing import Any

from . import reads
from .words import Wish

ANSWER_MOST = 64 * 1024
AGENT = "Open AnyConnect VPN Agent v9.01"
INIT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<config-auth client="vpn" type="init"><version who="vpn">v9.01</version></config-auth>'
)


def form(wish: Wish, *, ca: str) -> dict[str, Any]:
    """One connection: TCP, TLS with the certificate checked, and the first answer of the sign-in."""
    began = time.monotonic()
    found: dict[str, Any] = {"stage": "connect", "connections": 1}
    try:
        with socket.create_connection((wish.host, wish.port), timeout=wish.seconds) as plain:
            found.update(stage="tls", connect_ms=_since(began))
            trust = ssl.create_default_context(cafile=ca or None)
            with trust.wrap_socket(plain, server_hostname=wish.host) as channel:
                found.update(stage="form", handshake_ms=_since(began))
                status, body = _asked(channel, wish)
        found["login_ms"] = _since(began)
    except ssl.SSLCertVerificationError as wrong:
        return {**found, "outcome": "certificate", "why": str(wrong.verify_message)[:200]}
    except socket.timeout:
        return {**found, "outcome": "down" if found["stage"] == "connect" else "late", "why": "no answer in time"}
    except OSError as broken:
        early = {"connect": "down", "tls": "closed"}
        return {**found, "outcome": early.get(found["stage"], "failed"), "why": str(broken)[:200]}
    return {**found, **_judged(status, body, secret=bool(wish.secret))}


def _judged(status: str, body: str, *, secret: bool) -> dict[str, Any]:
    if " 404 " in status + " " or (" 401 " in status + " " and "www-authenticate: basic" in body.lower()):
        return {"outcome": "hidden", "why": reads.HIDES_STILL if secret else reads.HIDES}
    if re.search(r" 40[13] ", status + " "):
        return {"outcome": "banned", "why": status[:80]}
    if "<form" in body or "<config-auth" in body:
        return {"outcome": "form", "why": ""}
    return {"outcome": "failed", "why": f"no sign-in form came: {status[:80]}"}


def _asked(channel: ssl.SSLSocket, wish: Wish) -> tuple[str, str]:
    head = f"POST {wish.path} HTTP/1.1\r\nHost: {wish.where}\r\nUser-Agent: {AGENT}\r\nX-Aggregate-Auth: 1\r\n"
    head += f"X-Transcend-Version: 1\r\nContent-Length: {len(INIT)}\r\nConnection: close\r\n\r\n"
    channel.sendall(head.encode() + INIT.encode())
    data = b""
    while len(data) < ANSWER_MOST and (chunk := channel.recv(16384)):
        data += chunk
        length = re.search(rb"(?i)\r\ncontent-length:\s*(\d+)", data)
        if length and b"\r\n\r\n" in data and len(data.split(b"\r\n\r\n", 1)[1]) >= int(length[1]):
            break
    status, _, rest = data.decode("utf-8", "replace").partition("\r\n")
    return status, rest


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
