"""Each channel in its maker's wire format, spoken by the courier in a process of its own to a server on loopback.

Makers' hosts stand in apprise and can't be given in an address: the player sets them, all else is the product's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from fleet.alarms.post import ROOT
from fleet.alarms.replies import is_taken
from tests.db.fleet.alarms.sinks import serving

PLAYER = """
import importlib, json, sys
from urllib.parse import urlsplit
from fleet.alarms import courier
from fleet.alarms.addresses import KINDS, kind_of
jobs, here = json.load(sys.stdin)
for module, name in filter(None, (kind.plugin for kind in KINDS.values())):
    plugin = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    for attribute in ("notify_url", "webhook_url"):
        told = getattr(plugin, attribute, None)
        if isinstance(told, str) and told.startswith("https://"):
            setattr(plugin, attribute, told.replace(f"https://{urlsplit(told).netloc}", here))
print(json.dumps([courier.deliver(job) for job in jobs]))
"""
TITLE, BODY = "Critical: Sign-ins fail", "Decide: https://handover.example.org/alerts/7/"
# Kind → address, where it must arrive, and what that maker answers to who is refused.
CHANNELS: dict[str, tuple[str, str, tuple[int, Any]]] = {
    "slack": ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#oncall", "/services/T1JJ", (404, "no_service")),
    "telegram": (
        "tgram://123456789:AAabcdefghijklmnopqrstuvwxyz_012345/-1001",
        "/bot123456789:AA",
        (403, {"ok": False}),
    ),
    "feishu": ("feishu://0123456789abcdef", "/open-apis/bot/v2/hook/0123", (200, {"code": 9499, "msg": "Bad Request"})),
    "wecom": ("wecombot://01234567-89ab-cdef", "/cgi-bin/webhook/send?key=0123", (200, {"errcode": 93000})),
    "dingtalk": ("dingtalk://SECabcdef012345@abcdef012345", "/robot/send?access_token=abc", (200, {"errcode": 310000})),
    "ntfy": ("ntfy://{host}/oncall", "/", (403, {"code": 40301})),
}
YES = {"ok": True, "code": 0, "StatusCode": 0, "errcode": 0, "errmsg": "ok"}


class Chats(HTTPServer):
    """Plays all makers: the first message of each is refused as that maker does it, the second is taken."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Chat)
        self.got: list[tuple[str, str]] = []
        self.refused: set[str] = set()

    def answer(self, path: str) -> tuple[int, str]:
        name = next(
            name for name, (_, where, _) in CHANNELS.items() if path.startswith(where) and where != "/" or path == where
        )
        if name not in self.refused:
            self.refused.add(name)
            status, told = CHANNELS[name][2]
            return status, told if isinstance(told, str) else json.dumps(told)
        return 200, "ok" if name == "slack" else json.dumps(YES)


class Chat(BaseHTTPRequestHandler):
    server: Chats

    def do_POST(self) -> None:
        told = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.got.append((self.path, told))
        status, said = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_each_maker_gets_the_message_and_its_no_is_a_no() -> None:
    with serving(Chats()) as chats:
        host = f"127.0.0.1:{chats.server_port}"
        job = {"title": TITLE, "body": BODY, "tone": "failure", "id": "1", "allowed": ["127.0.0.1"], "only_read": False}
        jobs = [{**job, "url": url.format(host=host)} for url, _, _ in CHANNELS.values() for _ in range(2)]
        told = json.dumps([jobs, f"http://{host}"])
        words = [sys.executable, "-c", PLAYER]
        done = subprocess.run(words, input=told, capture_output=True, text=True, check=True, cwd=ROOT, timeout=300)
    answers = [(one["ok"], one["answer"].split()[0]) for one in json.loads(done.stdout)]
    expected = [pair for _, _, (status, _) in CHANNELS.values() for pair in ((False, str(status)), (True, "200"))]
    assert answers == expected, done.stdout
    for path, body in chats.got:
        assert any(path.startswith(where) for _, where, _ in CHANNELS.values())
        assert TITLE.removeprefix("Critical: ") in body.replace("+", " ")
        assert "alerts/7/" in body.replace("%2F", "/").replace("\\/", "/")


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", '{"errcode": "0"}', '{"errcode": 1}', '{"errcode": false}'])
def test_an_answer_that_says_no_yes_is_none(body: str) -> None:
    assert not is_taken("wecom", body)
    assert is_taken("slack", body)
    assert is_taken("wecom", '{"errcode": 0}')
