"""Sends one message and ends. A program of its own: `python -m fleet.alarms.courier`, job as JSON on stdin, answer as
JSON on stdout.

Whatever the address, the name service or a redirect say, the process can connect to what is allowed only: the check
sits on connect itself. It has no database, no key and no environment of the dashboard.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
import smtplib
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from apprise import AppriseAsset, NotifyType
from requests import PreparedRequest, RequestException, Response, Session
from requests.adapters import HTTPAdapter

from fleet.alarms.addresses import KINDS, BadAddress, allowed_networks, kind_of, masked, why_not
from fleet.alarms.replies import is_taken

ERRNO = re.compile(r"(?<=\] )[A-Z][^'\")]+")
GOODBYE = 221  # to QUIT: no answer to the message
GONE, NOT_FOUND = 410, 404  # of a push service they say the same
ANSWER_MOST = 400  # characters


class Gone(Exception):
    """The other side wants no message any more: 410, as Standard Webhooks has it."""


class Notes(logging.Handler):
    """What apprise says and what the other side answers, in order."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.heard: list[str] = []
        self.refused = ""
        self.body = ""  # of the last answer

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def guard(self, allowed: list[str]) -> None:
        """Let nothing but allowed addresses be reached, and nothing be started."""
        networks = allowed_networks(allowed)

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
                raise PermissionError("nothing is started here")
            if event not in ("socket.connect", "socket.sendto"):
                return
            where = args[1][0] if isinstance(args[1], tuple) else "a local socket"
            if say := why_not(str(where), networks):
                self.refused = say
                raise PermissionError(say)

        sys.addaudithook(hook)

    def listen(self) -> None:
        """Note every answer: apprise keeps only whether it liked it."""
        send, reply = HTTPAdapter.send, smtplib.SMTP.getreply

        def heard_http(adapter: HTTPAdapter, request: PreparedRequest, **more: Any) -> Response:
            try:
                answer = send(adapter, request, **more)
            except RequestException as silent:
                cause = ERRNO.search(str(silent))
                self.heard.append(cause[0] if cause else type(silent).__name__)
                raise
            self.body = answer.text
            self.heard.append(f"{answer.status_code} {answer.reason} {self.body[:ANSWER_MOST]}".strip())
            return answer

        def heard_smtp(server: smtplib.SMTP) -> tuple[int, bytes]:
            code, said = reply(server)
            if code != GOODBYE:
                self.heard.append(f"{code} {said.decode(errors='replace')}")
            return code, said

        setattr(HTTPAdapter, "send", heard_http)  # noqa: B010 - mypy forbids assigning to a method
        setattr(smtplib.SMTP, "getreply", heard_smtp)  # noqa: B010
        Session.trust_env = False  # no proxy, no .netrc


def sender_of(job: Mapping[str, Any]) -> Callable[[], bool]:
    """What sends the message and says whether it was taken. Raise BadAddress."""
    if job.get("hook"):
        return partial(posted, job["hook"])
    plugin = plugin_of(job["url"])
    tone = NotifyType(job["tone"])
    return lambda: bool(plugin.notify(body=job["body"], title=job["title"], notify_type=tone))


def posted(hook: Mapping[str, Any]) -> bool:
    """Post a webhook exactly as it was signed. A redirect is an answer like others: no yes."""
    headers = {"Content-Type": "application/json", "User-Agent": "Handover", **hook["headers"]}
    with Session() as session:
        session.trust_env = False
        body = b64decode(hook["raw"]) if hook.get("raw") else hook["body"].encode()
        try:
            answer = session.post(hook["url"], data=body, headers=headers, timeout=(10, 30), allow_redirects=False)
        except (RequestException, OSError):
            return False
    if answer.status_code == GONE or (hook.get("raw") and answer.status_code == NOT_FOUND):
        raise Gone
    return 200 <= answer.status_code < 300


def plugin_of(url: str) -> Any:
    """The one plugin that speaks to this address; apprise as a whole would load 170."""
    plugin = KINDS[kind_of(url)].plugin
    if plugin is None:
        raise BadAddress("A webhook has no message.")
    module, name = plugin
    kind = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    parsed = kind.parse_url(url)
    if not parsed:
        raise BadAddress("The address can't be read.")
    asset = AppriseAsset(plugin_paths=[], storage_mode="memory", http_redirects=False)
    made = kind(**{**parsed, "asset": asset})
    # An address may ask for both; neither is a matter for who types it.
    made.redirects, made.verify_certificate = False, True
    return made


def deliver(job: dict[str, Any]) -> dict[str, Any]:
    """{"ok", "answer", "final": trying again is in vain, "gone": for ever}."""
    notes = Notes()
    logging.getLogger("apprise").addHandler(notes)
    logging.getLogger("apprise").propagate = False
    try:
        send = sender_of(job)
        notes.guard(job["allowed"])
    except (BadAddress, TypeError) as wrong:
        say = wrong.say if isinstance(wrong, BadAddress) else "; ".join(notes.lines) or str(wrong)
        return {"ok": False, "answer": masked(say, job["url"]), "final": True}
    if job["only_read"]:
        return {"ok": True, "answer": "", "final": True}
    notes.listen()
    gone = False
    try:
        ok = send() and is_taken(kind_of(job["url"]), notes.body)
    except Gone:
        ok, gone = False, True
    heard = notes.heard[-1:] or notes.lines[-2:]
    answer = notes.refused or "; ".join(heard)
    return {
        "ok": ok,
        "answer": masked(answer, job["url"])[:ANSWER_MOST],
        "final": gone or bool(notes.refused),
        "gone": gone,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(deliver(json.load(sys.stdin))))
