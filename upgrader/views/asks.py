"""What a person said in a form or in JSON, and the service that each action is: one table for pages and programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from approvals.models import Actor
from upgrader import services
from upgrader.models import Rollout

NEEDS_REASON = {
    "reject": "Say why you reject it: who asked needs the reason.",
    "roll_back": "Say why you roll back: it goes on the record.",
    "abort": "Say why you abort: it goes on the record.",
    "skip": "Say why this gateway is left out: it goes on the record.",
    "ask_cut": "Say why users may be cut: it goes on the record.",
    "refuse_back": "Say why not: who asked needs the reason.",
    "refuse_cut": "Say why not: who asked needs the reason.",
}

STEP_UP = frozenset({"approve", "roll_back", "abort", "agree_back", "agree_cut"})
"""These ask for a recent proof of the person (approvals/step_up.py). What stops or says no never waits for one."""


@dataclass(frozen=True)
class Said:
    """What came with one request. Numbers that were none are 0."""

    version: int
    reason: str
    digest: str
    gateway: int  # id of the upgrade that is meant
    hours: int
    through: str  # "all": every wave


def said_in(values: Mapping[str, Any]) -> Said:
    """Return what a form or a JSON object says; what can't be read counts as not said."""
    return Said(
        version=whole(values.get("version")),
        reason=str(values.get("reason") or "").strip()[:2000],
        digest=str(values.get("digest") or ""),
        gateway=whole(values.get("gateway")),
        hours=whole(values.get("hours")),
        through=str(values.get("through") or ""),
    )


def whole(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def said_by(request: HttpRequest) -> Said:
    """What the request carries, as a form or as JSON."""
    if request.content_type != "application/json":
        return said_in(request.POST.dict())
    try:
        values = json.loads(request.body)
    except ValueError:
        values = None
    return said_in(values if isinstance(values, dict) else {})


Ask = Callable[[Rollout, Said, Actor, datetime], object]


def _submit(rollout: Rollout, said: Said, actor: Actor, now: datetime) -> None:
    services.submit(rollout, actor=actor, seen_version=said.version, now=now)


def _promote(rollout: Rollout, said: Said, actor: Actor, now: datetime) -> None:
    last = rollout.waves.order_by("-number").values_list("number", flat=True).first() or 0
    through = last if said.through == "all" else 0
    version, reason = said.version, said.reason
    services.promote(rollout, actor=actor, seen_version=version, reason=reason, now=now, through=through)


def _extend(rollout: Rollout, said: Said, actor: Actor, now: datetime) -> None:
    version, reason, hours = said.version, said.reason, said.hours
    services.extend(rollout, actor=actor, seen_version=version, reason=reason, now=now, hours=hours)


def _whole(service: Callable[..., object]) -> Ask:
    def ask(rollout: Rollout, said: Said, actor: Actor, now: datetime) -> object:
        return service(rollout, actor=actor, seen_version=said.version, reason=said.reason, now=now)

    return ask


def _one(service: Callable[..., object]) -> Ask:
    """About one gateway of the rollout."""

    def ask(rollout: Rollout, said: Said, actor: Actor, now: datetime) -> object:
        return service(rollout, said.gateway, actor=actor, seen_version=said.version, reason=said.reason, now=now)

    return ask


def _answer(service: Callable[..., object], *, yes: bool) -> Ask:
    def ask(rollout: Rollout, said: Said, actor: Actor, now: datetime) -> object:
        return service(rollout, yes=yes, reason=said.reason, digest=said.digest, actor=actor, now=now)

    return ask


ASK: dict[str, Ask] = {
    "submit": _submit,
    "approve": _answer(services.decide, yes=True),
    "reject": _answer(services.decide, yes=False),
    "promote": _promote,
    "hold": _whole(services.hold),
    "resume": _whole(services.resume),
    "retry": _one(services.retry),
    "skip": _one(services.skip),
    "take_in": _one(services.take_in),
    "abort": _whole(services.abort),
    "roll_back": _whole(services.roll_back),
    "agree_back": _answer(services.decide_back, yes=True),
    "refuse_back": _answer(services.decide_back, yes=False),
    "extend": _extend,
    "ask_cut": _whole(services.ask_cut),
    "agree_cut": _answer(services.decide_cut, yes=True),
    "refuse_cut": _answer(services.decide_cut, yes=False),
}
