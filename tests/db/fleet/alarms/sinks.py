"""A web server and a mail server on loopback that keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeVar


class Hooks(HTTPServer):
    """Answers with the statuses it was given, then with 200; `where` is where a 302 leads."""

    def __init__(self, *statuses: int, where: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.statuses, self.where = list(statuses), where
        self.got: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.asked: list[Asked] = []


@dataclass(frozen=True)
class Asked:
    """One request as it came: `headers` named in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


class Hook(BaseHTTPRequestHandler):
    server: Hooks

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.path, told, body))
        self.server.got.append(json.loads(body))
        self.server.ids.append(self.headers.get("webhook-id", ""))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.where)
        self.end_headers()
        self.wfile.write(b"taken" if status == 200 else f"no such hook {self.path}".encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Mails(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Mail)
        self.got: list[str] = []


class Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as one message needs."""

    server: Mails

    def handle(self) -> None:
        self.say("220 sink")
        while line := self.rfile.readline().decode().strip().upper():
            if line == "DATA":
                self.say("354 go on")
                text = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                self.server.got.append("".join(text))
                self.say("250 2.0.0 queued as 4F2A")
            elif line == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 sink")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


Server = TypeVar("Server", bound=socketserver.BaseServer)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Let it answer in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
