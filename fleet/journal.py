"""The only writer of a gateway's state: row and record change in one transaction, and only when something changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from approvals import audit
from approvals.models import Actor
from fleet.models import Gateway

State = Gateway.State

MOVES: dict[str, frozenset[str]] = {
    State.PROPOSED: frozenset(),  # `enrol` is a second person's
    State.ENROLLED: frozenset({State.UNREACHABLE, State.QUARANTINED}),
    State.UNREACHABLE: frozenset({State.ENROLLED, State.QUARANTINED}),
    State.QUARANTINED: frozenset(),  # `release` is a person's
    State.LEFT: frozenset(),
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


def quarantine(
    gateway: Gateway, *, reason: str, actor: Actor, now: datetime, seen: Sequence[tuple[str, str]] = ()
) -> bool:
    """Nobody talks to this gateway from now on; `seen`: the keys that it showed. True when it was not so before."""
    gateway.refresh_from_db(fields=["state"])
    with transaction.atomic():
        gateway.seen_keys = [list(pair) for pair in seen]
        Gateway.objects.filter(pk=gateway.pk).exclude(state=State.QUARANTINED).update(seen_keys=gateway.seen_keys)
        return move(gateway, State.QUARANTINED, reason=reason, actor=actor, now=now)


def release(gateway: Gateway, *, reason: str, actor: Actor, now: datetime) -> bool:
    """A person has looked: the gateway may be talked to again."""
    gateway.refresh_from_db(fields=["state"])
    if gateway.state != State.QUARANTINED:
        return False
    return _write(gateway, State.ENROLLED, verb="gateway.released", reason=reason, actor=actor, now=now)


def propose(gateway: Gateway, *, reason: str, actor: Actor, now: datetime) -> bool:
    """It waits for a second person; one that had left may be proposed again."""
    gateway.refresh_from_db(fields=["state"])
    if gateway.state != State.LEFT:
        return False
    return _write(gateway, State.PROPOSED, verb="gateway.proposed", reason=reason, actor=actor, now=now)


def enrol(gateway: Gateway, *, reason: str, actor: Actor, now: datetime) -> bool:
    """A second person has confirmed its host keys: from now on it is talked to."""
    gateway.refresh_from_db(fields=["state"])
    if gateway.state != State.PROPOSED:
        return False
    return _write(gateway, State.ENROLLED, verb="gateway.enrolled", reason=reason, actor=actor, now=now)


def leave(gateway: Gateway, *, reason: str, actor: Actor, now: datetime) -> bool:
    """It is no longer part of the fleet; its row stays."""
    gateway.refresh_from_db(fields=["state"])
    if gateway.state == State.LEFT:
        return False
    return _write(gateway, State.LEFT, verb="gateway.left", reason=reason, actor=actor, now=now)


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
