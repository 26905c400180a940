"""The copies of the checkpoints that leave by the network: syslog (RFC 5424) and a webhook. OSError when one fails.

A datagram is not acknowledged, and TCP's acknowledgement is the kernel's: a syslog that is down may lose lines without
a word. Nothing is lost for good, since the next checkpoint covers all before it, and the file and the webhook tell.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings

from approvals import signed_webhook

SYSLOG_CHUNK = 15  # leaf hashes a message: the receivers of RFC 5426 must take 480 bytes and should take 2048
WEBHOOK_CHUNK = 10_000
PATIENCE = 10.0  # seconds
_PRIORITY = 13 * 8 + 6  # facility "log audit", severity "informational"
_ANSWER = 65536  # bytes of an answer that are read, to be thrown away
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}


def syslog(lines: Sequence[str], *, at: datetime) -> None:
    """Send each line as one message: udp://, tcp://, tls:// or unix:///dev/log."""
    where = urlsplit(settings.CHECKPOINT_SYSLOG)
    when, host = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), socket.gethostname()
    head = f"<{_PRIORITY}>1 {when} {host} handover {os.getpid()} checkpoint -"
    messages = [f"{head} {line}".encode() for line in lines]
    if where.scheme in ("udp", "unix"):
        with _datagrams(where.scheme, where.hostname, where.port, where.path) as out:
            for message in messages:
                out.send(message)
    elif where.scheme in ("tcp", "tls"):
        with _stream(where.scheme, where.hostname or "", where.port or _PORTS[where.scheme]) as out:
            # RFC 6587, 3.4.1: the length before each message.
            out.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
    else:
        raise OSError(
            f"HANDOVER_CHECKPOINT_SYSLOG begins with udp://, tcp://, tls:// or unix://, not {where.scheme}://"
        )


def webhook(said: dict[str, object], *, number: int) -> None:
    """POST one object, signed as Standard Webhooks says; any answer but 2xx is a failure."""
    where = urlsplit(settings.CHECKPOINT_WEBHOOK)
    body, at = json.dumps(said, separators=(",", ":")).encode(), int(time.time())
    try:
        secrets = [settings.CHECKPOINT_WEBHOOK_SECRET] if settings.CHECKPOINT_WEBHOOK_SECRET else []
        signed = signed_webhook.headers(secrets, f"checkpoint-{number}-{said.get('first', 0)}", at, body)
    except ValueError as error:
        raise OSError(f"HANDOVER_CHECKPOINT_WEBHOOK_SECRET can't sign: {error}") from error
    connection = _http(where.scheme, where.hostname or "", where.port)
    try:
        target = (where.path or "/") + (f"?{where.query}" if where.query else "")
        connection.request("POST", target, body, {"Content-Type": "application/json", **signed})
        with connection.getresponse() as answer:
            answer.read(_ANSWER)
        if not 200 <= answer.status < 300:
            raise OSError(f"{where.hostname} answered {answer.status}")
    except http.client.HTTPException as error:
        raise OSError(f"{where.hostname} did not answer: {error!r}") from error
    finally:
        connection.close()


def _http(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=ssl.create_default_context())
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=PATIENCE)
    raise OSError(f"HANDOVER_CHECKPOINT_WEBHOOK begins with https:// or http://, not {scheme}://")


def _datagrams(scheme: str, host: str | None, port: int | None, path: str) -> socket.socket:
    if scheme == "unix":
        out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address: str | tuple[object, ...] = path
    else:
        family, kind, _, _, address = socket.getaddrinfo(host, port or _PORTS["udp"], type=socket.SOCK_DGRAM)[0]
        out = socket.socket(family, kind)
    try:
        out.settimeout(PATIENCE)
        out.connect(address)
    except OSError:
        out.close()
        raise
    return out


def _stream(scheme: str, host: str, port: int) -> socket.socket:
    out = socket.create_connection((host, port), timeout=PATIENCE)
    if scheme == "tcp":
        return out
    try:
        return ssl.create_default_context().wrap_socket(out, server_hostname=host)
    except OSError:
        out.close()
        raise
