"""`probe`: one real sign-in at a slot's own address, as far as it comes, with nothing left behind.

ocserv's login (reference, section 6): POST config-auth `init` → form → `auth-reply` with the user, then the password →
cookie; then CONNECT /CSCOSSLC/tunnel until 200, so that a worker which can't open a tunnel shows; then BYE.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Dict, Mapping, Tuple
from xml.sax.saxutils import escape  # nosec B406 # it writes XML and reads none

from . import confs, derive, slots
from . import state as states
from .call import Call, Result
from .knock import Door, connected
from .start import unverified, where

STEP_SECONDS = 10.0
BYE_SECONDS = 2.0
ANSWER_MAX = 256 * 1024
AGENT = "Open AnyConnect VPN Agent v9.01"
# CSTP frame: "STF\x01", length 0, type 5 (disconnect) or 8 (terminate); a BYE with reason 0xb0 "user".
BYE = b"STF\x01\x00\x01\x05\x00\xb0"


@dataclass
class Progress:
    """How far the probe came; `stage` is the step that is under way or failed."""

    stage: str = "connect"
    handshake_ms: float = 0.0
    login_ms: float = 0.0
    cookies: Dict[str, str] = field(default_factory=dict)


class Unexpected(Exception):
    """The slot answered something else than a login needs; the text says what."""


def probe(call: Call) -> Result:
    """Sign in at the slot. A login that fails is an answer, not an error."""
    number: int = call.args["slot"]
    slot = slots.running(number, call.config, states.load(call.paths), call.paths)
    options = derive.options(confs.agreed(call.config, call.paths))
    door = Door("127.0.0.1", call.config.port) if slot.adopted else where(call.config, call.paths, number)
    far = Progress()
    try:
        _sign_in(far, door, path=_path(options), who=(call.args["user"], call.args["password"]))
        say = f"Signed in at slot {number} and opened a tunnel."
    except (OSError, Unexpected) as failure:
        say = f"The probe failed at {far.stage} on slot {number}: {str(failure)[:300] or type(failure).__name__}."
    times = {"handshake_ms": round(far.handshake_ms, 1), "login_ms": round(far.login_ms, 1)}
    return {"slot": number, "ok": far.stage == "done", "stage": far.stage, **times, "say": say}


def _path(options: Mapping[str, str]) -> str:
    """What is asked for first: behind camouflage the secret stands in it, and all else gets no form."""
    if options.get("camouflage", "").lower() not in ("true", "yes"):
        return "/"
    secret = options.get("camouflage_secret", "")
    if not secret:
        raise Unexpected("camouflage is on and camouflage_secret is missing in ocserv.conf: nobody gets a form")
    return f"/?{secret}"


def _sign_in(far: Progress, door: Door, *, path: str, who: Tuple[str, str]) -> None:
    began = time.monotonic()
    with connected(door, seconds=STEP_SECONDS) as plain:
        far.stage = "tls"
        with _encrypted(plain) as channel:
            far.handshake_ms = (time.monotonic() - began) * 1000
            _forms(far, channel, path=path, who=who)
            far.login_ms = (time.monotonic() - began) * 1000
            far.stage = "cookie"
    # Some versions close the connection after a sign-in; clients ask for the tunnel on a new one then.
    with connected(door, seconds=STEP_SECONDS) as plain, _encrypted(plain) as channel:
        _tunnel(channel, cookie=far.cookies["webvpn"])
    far.stage = "done"


def _encrypted(plain: socket.socket) -> ssl.SSLSocket:
    return unverified().wrap_socket(plain, server_hostname="localhost")


def _forms(far: Progress, channel: ssl.SSLSocket, *, path: str, who: Tuple[str, str]) -> None:
    far.stage = "form"
    user, password = who
    answer = _post(
        far,
        channel,
        path,
        '<config-auth client="vpn" type="init"><version who="vpn">v9.01</version></config-auth>',
    )
    far.stage = "password"
    for _ in range(4):
        action = re.search(r'<form[^>]*action="([^"]*)"', answer)
        if far.cookies.get("webvpn"):
            return
        if action is None:
            raise Unexpected("no sign-in form came")
        fields = _filled(answer, user=user, password=password)
        answer = _post(far, channel, action.group(1), _reply(fields))
    if not far.cookies.get("webvpn"):
        raise Unexpected("user name or password was not accepted")


def _filled(form: str, *, user: str, password: str) -> Dict[str, str]:
    fields = {}
    for name, kind in re.findall(r'<input[^>]*name="([^"]*)"[^>]*type="([^"]*)"', form) + [
        (name, kind) for kind, name in re.findall(r'<input[^>]*type="([^"]*)"[^>]*name="([^"]*)"', form)
    ]:
        if kind == "text" and "user" in name:
            fields[name] = user
        elif kind == "password":
            fields[name] = password
    if not fields:
        raise Unexpected("the sign-in form asks for neither user name nor password")
    return fields


def _reply(fields: Dict[str, str]) -> str:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    head = '<config-auth client="vpn" type="auth-reply"><version who="vpn">v9.01</version>'
    return f"{head}<auth>{inner}</auth></config-auth>"


def _post(far: Progress, channel: ssl.SSLSocket, path: str, body: str) -> str:
    cookies = "; ".join(f"{name}={value}" for name, value in far.cookies.items())
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"User-Agent: {AGENT}",
        "X-Aggregate-Auth: 1",
        "X-Transcend-Version: 1",
    ]
    if cookies:
        lines.append(f"Cookie: {cookies}")
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + body
    lines += [
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(text.encode())}",
        "",
        "",
    ]
    channel.sendall("\r\n".join(lines).encode() + text.encode())
    head, content = _answer(channel)
    for name, value in re.findall(r"(?im)^set-cookie:\s*([^=;\s]+)=([^;\r\n]*)", head):
        far.cookies[name] = value
    status = head.split("\r\n", 1)[0]
    if far.stage == "form" and path != "/" and re.search(r" 40[14] ", status + " "):
        raise Unexpected(f"the slot did not take the camouflage_secret of its ocserv.conf ({status[:80]!r})")
    if " 200 " not in status + " ":
        raise Unexpected(f"the slot answered {status[:80]!r}")
    return content


def _tunnel(channel: ssl.SSLSocket, *, cookie: str) -> None:
    lines = [
        "CONNECT /CSCOSSLC/tunnel HTTP/1.1",
        "Host: localhost",
        f"User-Agent: {AGENT}",
        f"Cookie: webvpn={cookie}",
    ]
    lines += [
        "X-CSTP-Version: 1",
        "X-CSTP-Hostname: ocgate-probe",
        "X-CSTP-MTU: 1400",
        "X-CSTP-Address-Type: IPv4",
        "",
        "",
    ]
    channel.sendall("\r\n".join(lines).encode())
    head, _ = _head(channel)
    status = head.split("\r\n", 1)[0]
    if " 200 " not in status + " ":
        raise Unexpected(f"the tunnel was refused: {status[:80]!r}")
    channel.sendall(BYE)
    _await_end(channel)


def _await_end(channel: ssl.SSLSocket) -> None:
    """Read until the slot closes: closing first, with unread bytes, resets the connection and the BYE is lost."""
    channel.settimeout(BYE_SECONDS)
    with contextlib.suppress(OSError):
        while channel.recv(65536):
            pass


def _answer(channel: ssl.SSLSocket) -> Tuple[str, str]:
    head, rest = _head(channel)
    length = re.search(r"(?im)^content-length:\s*(\d+)", head)
    wanted = min(int(length.group(1)), ANSWER_MAX) if length else 0
    while len(rest) < wanted:
        chunk = channel.recv(65536)
        if not chunk:
            raise Unexpected("the connection ended in the middle of an answer")
        rest += chunk
    return head, rest.decode("utf-8", "replace")


def _head(channel: ssl.SSLSocket) -> Tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = channel.recv(65536)
        if not chunk or len(data) > ANSWER_MAX:
            raise Unexpected("the connection ended before an answer")
        data += chunk
    head, rest = data.split(b"\r\n\r\n", 1)
    return head.decode("latin-1"), rest
