"""Copies by syslog and webhook, to receivers of our own on this machine."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from approvals import copy_out, signed_webhook

AT = datetime(2026, 11, 23, 12, 0, 7, 42, tzinfo=UTC)
SECRET = signed_webhook.secret_of(bytes(range(32)))
LINES = ['{"record":"handover/1","first":1,"leaves":[]}', '{"record":"handover/1","number":1,"checkpoint":"x"}']


def text_of(message: bytes) -> str:
    """What stands behind the header of RFC 5424."""
    head, at, _, app, _, kind, _, rest = message.decode().split(" ", 7)
    assert (head, at, app, kind) == ("<110>1", "2026-11-23T12:00:07.000042Z", "handover", "checkpoint")
    return rest


def test_udp_and_a_unix_socket_get_one_message_a_line(settings: Any, tmp_path: Path) -> None:
    udp, unix = socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with udp, unix:
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "log"))
        for server, where in ((udp, f"udp://127.0.0.1:{udp.getsockname()[1]}"), (unix, f"unix://{tmp_path}/log")):
            server.settimeout(20)
            settings.CHECKPOINT_SYSLOG = where
            copy_out.syslog(LINES, at=AT)
            assert [text_of(server.recv(4096)) for _ in LINES] == LINES


def test_tcp_says_the_length_before_each_message(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.CHECKPOINT_SYSLOG = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        copy_out.syslog(LINES, at=AT)
        server.settimeout(20)
        with server.accept()[0] as peer, peer.makefile("rb") as read:
            got = read.read()
    for line in LINES:
        length, _, got = got.partition(b" ")
        assert text_of(got[: int(length)]) == line
        got = got[int(length) :]
    assert got == b""


class Receiver(BaseHTTPRequestHandler):
    """Takes one message after the other and answers as it was told."""

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))  # type: ignore[attr-defined]  # ours
        self.send_response(self.server.answer)  # type: ignore[attr-defined]  # ours
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(settings: Any) -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.answer = [], 204
    settings.CHECKPOINT_WEBHOOK = f"http://127.0.0.1:{server.server_port}/record?of=us"
    settings.CHECKPOINT_WEBHOOK_SECRET = SECRET
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_webhook_gets_a_signed_object(receiver: Any) -> None:
    copy_out.webhook({"record": "handover/1", "first": 1, "leaves": []}, number=7)
    ((headers, body),) = receiver.got
    assert json.loads(body) == {"record": "handover/1", "first": 1, "leaves": []}
    assert signed_webhook.verify([SECRET], headers, body, now=time.time()).id == "checkpoint-7-1"


@pytest.mark.parametrize("answer", [302, 307, 400, 500])
def test_any_other_answer_is_a_failure_and_no_redirect_is_followed(receiver: Any, answer: int) -> None:
    receiver.answer = answer
    with pytest.raises(OSError, match=f"127.0.0.1 answered {answer}"):
        copy_out.webhook({}, number=1)
    assert len(receiver.got) == 1


def test_what_can_not_be_reached_or_read_is_said(settings: Any) -> None:
    settings.CHECKPOINT_SYSLOG, settings.CHECKPOINT_WEBHOOK = "gopher://x", "ftp://x"
    settings.CHECKPOINT_WEBHOOK_SECRET = ""
    with pytest.raises(OSError, match="begins with udp://"):
        copy_out.syslog(LINES, at=AT)
    with pytest.raises(OSError, match="begins with https://"):
        copy_out.webhook({}, number=1)
    settings.CHECKPOINT_WEBHOOK_SECRET = "short"
    with pytest.raises(OSError, match="can't sign"):
        copy_out.webhook({}, number=1)
