"""What was agreed for a gateway part by part. The only writer of Agreement rows, each with its event."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from approvals import audit
from approvals.models import Actor
from fleet.drift import trees_shown, trust_shown
from fleet.inventory import Inventory
from fleet.models import Agreement, Gateway

FIRST_LOOK = "It was so at the first look after enrolment."


def of(gateway: Gateway) -> dict[str, Agreement]:
    """Code → what was agreed."""
    return {row.code: row for row in gateway.agreements.all()}


def note(gateway: Gateway, values: Mapping[str, tuple[str, str]], *, why: str, actor: Actor, now: datetime) -> None:
    """This is agreed from now on: code → (value, the same for people). What is so already is no event."""
    with transaction.atomic():
        known = of(gateway)
        fresh = {code: said for code, said in values.items() if code not in known or known[code].value != said[0]}
        for code, (value, shown) in fresh.items():
            columns = {"value": value, "shown": shown, "why": why[:200], "at": now}
            Agreement.objects.update_or_create(gateway=gateway, code=code, defaults=columns)
        if fresh:
            details = {code: {"before": _value(known.get(code)), "after": value} for code, (value, _) in fresh.items()}
            subject = f"gateway:{gateway.pk}"
            audit.append("agreement.noted", subject=subject, actor=actor, at=now, reason=why, details=details)


def forget(gateway: Gateway) -> None:
    """The gateway left: whoever is enrolled under its name later begins anew. Inside a transaction that says so."""
    gateway.agreements.all().delete()


def first_look(gateway: Gateway, there: Inventory, *, actor: Actor, now: datetime) -> dict[str, Agreement]:
    """Note each part that nobody has agreed about yet as it is; return everything that is agreed then.

    Two people compared the gateway's host keys when it was enrolled: what it says of itself then is where we start.
    """
    known = of(gateway)
    seen = as_found(there) | {"version": (gateway.release, "")}
    if missing := {code: said for code, said in seen.items() if code not in known and said[0]}:
        note(gateway, missing, why=FIRST_LOOK, actor=actor, now=now)
    _refresh_shown(known, seen)
    return of(gateway)


def as_found(there: Inventory) -> dict[str, tuple[str, str]]:
    """Code → (value, for people) of what an inventory says."""
    trees = trees_shown(there)
    return {
        "agreed": (there.conf.agreed_sha256, ""),
        "release": (hashlib.sha256(trees.encode()).hexdigest(), trees),
        "ocgate": (there.ocgate_sha256, there.ocgate_version),
        "trust": (there.trust.sha256, trust_shown(there.trust)),
        "keys": (there.authorized_keys_sha256, ""),
    }


def _refresh_shown(known: Mapping[str, Agreement], seen: Mapping[str, tuple[str, str]]) -> None:
    """An errand knows the hash of what it brought about; what that looks like is seen here first."""
    for code, (value, shown) in seen.items():
        row = known.get(code)
        if row and row.value == value and row.shown != shown:
            Agreement.objects.filter(pk=row.pk, value=value).update(shown=shown)


def _value(row: Agreement | None) -> str:
    return row.value if row else ""
