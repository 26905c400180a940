"""Hands one message to a courier process, and waits for its answer for so long."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from fleet.alarms import hooks
from fleet.alarms.addresses import kind_of
from fleet.alarms.hooks import Hook
from fleet.alarms.message import Message
from fleet.errors import GiveUp, RetryLater

SECONDS = 45.0
GONE = "gone"  # the other side wants no message any more, ever
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Letter:
    url: str
    message: Message
    id: str  # the same for each try
    hook: Hook | None = None  # of a webhook: the message as it is sent


def send(letter: Letter, *, allowed: Iterable[str] | None = None, seconds: float = SECONDS) -> str:
    """Return what the other side answered. Raise RetryLater, or GiveUp where it may not be sent there at all."""
    return _asked(letter, settings.ALERTS_TO if allowed is None else allowed, seconds=seconds)


def send_hook(hook: Hook, *, allowed: Iterable[str] | None = None, seconds: float = SECONDS) -> str:
    """The same for a webhook that is no alert's."""
    return send(Letter(hook.url, Message("", ""), "", hook), allowed=allowed, seconds=seconds)


def check(url: str) -> None:
    """Raise GiveUp or BadAddress with what is wrong with an address, as far as it can be read. Nothing is sent."""
    if kind_of(url) == "webhook":
        hooks.target(url)
        return
    _asked(Letter(url, Message("", ""), ""), settings.ALERTS_TO, only_read=True)


def _asked(letter: Letter, allowed: Iterable[str], *, seconds: float = SECONDS, only_read: bool = False) -> str:
    job = {
        "url": letter.url,
        "title": letter.message.title,
        "body": letter.message.body,
        "tone": letter.message.tone,
        "id": letter.id,
        "allowed": list(allowed),
        "only_read": only_read,
        "hook": None if letter.hook is None else asdict(letter.hook),
    }
    told = _courier(job, seconds)
    answer = str(told["answer"]).strip()
    if told["ok"]:
        return answer or "It took the message."
    if told["final"]:
        if told.get("gone"):
            raise GiveUp(answer or "It takes no more messages.", code=GONE)
        raise GiveUp(answer or "It may not be sent there.", code="refused")
    raise RetryLater(answer or "It did not take the message, and did not say why.")


def _courier(job: dict[str, Any], seconds: float) -> dict[str, Any]:
    try:
        done = subprocess.run(  # nosec B603 # our own program, the job on stdin
            [sys.executable, "-m", "fleet.alarms.courier"],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=seconds,
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"},
            check=False,
        )
        told: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise RetryLater(f"It did not take the message within {seconds:.0f} s.") from None
    except ValueError:
        raise RetryLater("The courier ended without an answer.") from None
    return told
