"""The only writer of a gateway's state: row and record change in one transaction, and only when something changes."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from approvals import audit
from approvals.models import Actor
from fleet.models import Gateway

State = Gateway.State

MOVES: dict[str, frozenset[str]] = {
    State.ENROLLED: frozenset({State.UNREACHABLE, State.QUARANTINED}),
    State.UNREACHABLE: frozenset({State.ENROLLED, State.QUARANTINED}),
    State.QUARANTINED: frozenset(),  # `release` is a person's
}
"""What the machine may do with a gateway's state."""

VERB: dict[str, str] = {
    State.ENROLLED: "gateway.answers",
    State.UNREACHABLE: "gateway.unreachable",
    State.QUARANTINED: "gateway.quarantined",
}


def move(gateway: Gateway, to: str, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Move the row if it still is where `gateway` saw it; True when it moved. Not moving is no event."""
    if to not in MOVES[gateway.state]:
        return False
    return _write(gateway, to, verb=VERB[to], reason=reason, actor=actor, now=now)


def quarantine(gateway: Gateway, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Nobody talks to this gateway from now on. True when it was not so before."""
    gateway.refresh_from_db(fields=["state"])
    return move(gateway, State.QUARANTINED, reason=reason, actor=actor, now=now)


def release(gateway: Gateway, *, reason: str, actor: Actor, now: datetime) -> bool:
    """A person has looked: the gateway may be talked to again."""
    gateway.refresh_from_db(fields=["state"])
    if gateway.state != State.QUARANTINED:
        return False
    return _write(gateway, State.ENROLLED, verb="gateway.released", reason=reason, actor=actor, now=now)


def _write(gateway: Gateway, to: str, *, verb: str, reason: str, actor: Actor, now: datetime) -> bool:
    shown = "" if to == State.ENROLLED else reason
    with transaction.atomic():
        # Compare-and-set: another thread may have seen the same.
        moved = Gateway.objects.filter(pk=gateway.pk, state=gateway.state).update(state=to, state_reason=shown)
        if moved:
            details = {"before": gateway.state, "after": to}
            subject = f"gateway:{gateway.pk}"
            audit.append(verb, subject=subject, actor=actor, at=now, reason=reason, details=details)
    if moved:
        gateway.state, gateway.state_reason = to, shown
    return bool(moved)
