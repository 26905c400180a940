"""How a gateway comes into the fleet and leaves it, and gets another host key: always by two persons.

What one person asks is a change (approvals/changes.py); what a second one confirms happens in the transaction of his
yes. Nobody talks to a gateway before that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from approvals import audit, changes, rights
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import agreements, alerts, errands, journal, services
from fleet.gateways.dial import fingerprint_of
from fleet.models import Credential, Errand, Gateway, Pool
from fleet.phrases import count, listed

ENROL, LEAVE, HOST_KEY = "gateway.enrol", "gateway.leave", "gateway.host_key"
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
ADDRESS = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:-]{0,254}")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
MOST = 500  # gateways in one change: more can't be compared by a person

BUSY: list[Callable[[Gateway], str]] = []
"""Asked before a gateway leaves; each answers "" or the sentence why not now. The apps above add theirs."""

Keys = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """One gateway as a person wants it enrolled."""

    name: str
    address: str
    port: int = 22
    ssh_user: str = "ocgate"
    public_address: str = ""
    failure_domain: str = ""
    keys: tuple[tuple[str, str], ...] = field(default=())  # (kind, base64) as they were scanned or typed


def why_not(asked: Asked) -> str:
    """Return the sentence why this can't be enrolled, or "". Knows nothing of what exists."""
    if not NAME.fullmatch(asked.name):
        return f"“{asked.name[:70]}” is no name: small letters, digits, dots and hyphens, at most 63."
    if not ADDRESS.fullmatch(asked.address):
        return f"{asked.name} needs an address: a host name or an IP address."
    if not 1 <= asked.port <= 65535:
        return f"{asked.port} is no port."
    if not USER.fullmatch(asked.ssh_user):
        return f"“{asked.ssh_user[:40]}” is no name for a system user."
    if asked.public_address and not ADDRESS.fullmatch(asked.public_address):
        return f"“{asked.public_address[:60]}” is no address that users could connect to."
    return ""


def propose(wanted: Sequence[Asked], pool: Pool, *, by: User, actor: Actor, now: datetime, why: str = "") -> Request:
    """Ask a second person to confirm the host keys of these gateways; their rows wait as PROPOSED."""
    _demand(by, "fleet.enrol_gateway", pool)
    if not 1 <= len(wanted) <= MOST:
        raise Refused(f"Choose 1 to {MOST} gateways.")
    entries = [_entry(asked) for asked in sorted(wanted, key=lambda asked: asked.name)]
    names = [entry["name"] for entry in entries]
    if len(set(names)) < len(names):
        raise Refused("A name stands there twice.")
    with transaction.atomic():
        rows = [_proposed(entry, pool, by=by, actor=actor, now=now) for entry in entries]
        payload = {"pool": pool.name, "gateways": entries}
        one = f"gateway:{rows[0].pk}"
        return changes.propose(
            ENROL,
            by=by,
            actor=actor,
            now=now,
            subject=one if len(rows) == 1 else f"import:{hashlib.sha256(repr(names).encode()).hexdigest()[:16]}",
            scope=f"pool:{pool.pk}",
            payload=payload,
            title=f"Enrol {listed(names)} in {pool.name}",
            lines=[*map(_line, entries), COMPARE],
            why=why,
        )


COMPARE = (
    "Compare each fingerprint on the machine's own console (ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub), not"
    " over the network."
)


def confirmed(applied: Applied) -> None:
    """The second person said yes: the keys are pinned and the gateways are enrolled."""
    pool = Pool.objects.filter(name=applied.payload["pool"]).first()
    # Names can be given anew: the yes was given on the pool that the question was about.
    if pool is None or applied.request.scope != f"pool:{pool.pk}":
        raise Refused(f"The pool {applied.payload['pool']} is gone, or another by now. Ask anew.")
    for entry in applied.payload["gateways"]:
        gateway = _waiting(entry["name"])
        columns = {name: value for name, value in entry.items() if name not in ("name", "keys")}
        Gateway.objects.filter(pk=gateway.pk).update(pool=pool, adapter=Gateway.Adapter.SSH, **columns)
        services.write_keys(gateway, dict(entry["keys"]), now=applied.now)
        asker = applied.asked_by.get_username()
        reason = f"{asker} asked, {applied.decided_by.get_username()} compared its host keys."
        journal.enrol(gateway, reason=reason, actor=applied.actor, now=applied.now)


def declined(applied: Applied) -> None:
    """The second person said no: it never was part of the fleet."""
    for entry in applied.payload["gateways"]:
        gateway = Gateway.objects.filter(name=entry["name"], state=Gateway.State.PROPOSED).first()
        if gateway:
            reason = f"{applied.decided_by.get_username()} did not confirm its host keys."
            journal.leave(gateway, reason=reason, actor=applied.actor, now=applied.now)


def propose_leave(gateway: Gateway, *, by: User, actor: Actor, now: datetime, why: str) -> Request:
    """Ask a second person to let a gateway go. Refused while something is busy on it."""
    _demand(by, "fleet.enrol_gateway", gateway.pool)
    if gateway.state == Gateway.State.LEFT:
        raise Refused(f"{gateway.name} has left the fleet already.")
    _refuse_busy(gateway)
    if not why.strip():
        raise Refused("Say why it leaves.")
    users = f"{count(gateway.sessions, 'user')} are on it now; they stay until ocgate is taken off the machine."
    lines = ["Nobody talks to it any more; its pinned keys and its probe account are deleted here.", users]
    return changes.propose(
        LEAVE,
        by=by,
        actor=actor,
        now=now,
        subject=f"gateway:{gateway.pk}",
        scope=f"pool:{gateway.pool_id}",
        payload={"gateway": gateway.name, "keys": _pairs(gateway)},
        title=f"Let {gateway.name} leave the fleet",
        lines=lines,
        why=why.strip(),
    )


def left(applied: Applied) -> None:
    """The second person said yes: what we hold of the gateway is deleted, its row stays for the record."""
    gateway = Gateway.objects.get(name=applied.payload["gateway"])
    _refuse_busy(gateway)
    say = f"{gateway.name} left the fleet."
    errands.drop(Errand.objects.filter(gateway=gateway), now=applied.now, say=say)
    alerts.end_all(gateway, why=say, now=applied.now)
    agreements.forget(gateway)
    gateway.host_keys.all().delete()
    Credential.objects.filter(name=f"probe:{gateway.name}").delete()
    Gateway.objects.filter(pk=gateway.pk).update(seen_keys=[], release="", sessions=0)
    why = str(applied.request.summary.get("why", ""))
    journal.leave(gateway, reason=why, actor=applied.actor, now=applied.now)


def propose_host_key(gateway: Gateway, keys: Keys, *, by: User, actor: Actor, now: datetime, why: str) -> Request:
    """Ask a second person to confirm other host keys than the pinned ones."""
    _demand(by, "fleet.enrol_gateway", gateway.pool)
    if gateway.state in (Gateway.State.PROPOSED, Gateway.State.LEFT):
        raise Refused(f"{gateway.name} is not enrolled: its keys are confirmed with its enrolment.")
    new = services.checked_pairs(gateway.name, keys)
    old = dict(gateway.host_keys.values_list("kind", "key"))
    if new == old:
        raise Refused("These keys are the pinned ones.")
    lines = [f"Pinned: {kind} {fingerprint_of(key)}" for kind, key in sorted(old.items())]
    lines += [f"To pin: {kind} {fingerprint_of(key)}" for kind, key in sorted(new.items())]
    return changes.propose(
        HOST_KEY,
        by=by,
        actor=actor,
        now=now,
        subject=f"gateway:{gateway.pk}",
        scope=f"pool:{gateway.pool_id}",
        payload={"gateway": gateway.name, "before": sorted(old.items()), "keys": sorted(new.items())},
        title=f"Pin another host key of {gateway.name}",
        lines=[*lines, COMPARE],
        warning="A key that changed by itself may be another machine in the middle.",
        why=why.strip(),
    )


def repinned(applied: Applied) -> None:
    """The second person said yes: pin the new keys and talk to the gateway again."""
    gateway = Gateway.objects.get(name=applied.payload["gateway"])
    if gateway.state in (Gateway.State.PROPOSED, Gateway.State.LEFT):
        raise Refused(f"{gateway.name} is not enrolled any more.")
    if _pairs(gateway) != [list(pair) for pair in applied.payload["before"]]:
        raise Refused(f"Other keys of {gateway.name} were pinned since this was asked. Ask anew.")
    keys = [(str(kind), str(key)) for kind, key in applied.payload["keys"]]
    services.pin(gateway, host_keys=keys, actor=applied.actor, now=applied.now)


def note_seen(gateway: Gateway, keys: Keys, *, actor: Actor, now: datetime) -> None:
    """A person let us look which host keys the machine shows now; nothing is pinned by that."""
    with transaction.atomic():
        Gateway.objects.filter(pk=gateway.pk).update(seen_keys=[list(pair) for pair in keys])
        shown = {kind: fingerprint_of(key) for kind, key in keys}
        subject = f"gateway:{gateway.pk}"
        audit.append("gateway.scanned", subject=subject, actor=actor, at=now, details={"shown": shown})


def why_busy(gateway: Gateway) -> str:
    """Return the first reason why the gateway can't leave now, or ""."""
    return next((say for say in (ask(gateway) for ask in BUSY) if say), "")


def _refuse_busy(gateway: Gateway) -> None:
    if say := why_busy(gateway):
        raise Refused(say)


def _demand(by: User, right: str, pool: Pool) -> None:
    # Asked before any row is written: propose() asks again.
    if not rights.may(by, right, f"pool:{pool.pk}"):
        raise Refused(f"You may not ask for this on {pool.name}: you lack the right “May enrol gateways”.")


def _entry(asked: Asked) -> dict[str, Any]:
    if say := why_not(asked):
        raise Refused(say)
    return {**asdict(asked), "keys": sorted(services.checked_pairs(asked.name, asked.keys).items())}


def _proposed(entry: Mapping[str, Any], pool: Pool, *, by: User, actor: Actor, now: datetime) -> Gateway:
    """The row that waits: a new one, or that of a gateway which had left or waits already."""
    columns = {name: value for name, value in entry.items() if name not in ("name", "keys")}
    waiting = {**columns, "pool": pool, "state": Gateway.State.PROPOSED}
    gateway, fresh = Gateway.objects.get_or_create(name=entry["name"], defaults=waiting)
    reason = f"{by.get_username()} asks to enrol it."
    if fresh:
        details = {"name": gateway.name, "address": f"{gateway.address}:{gateway.port}", "pool": pool.name}
        subject = f"gateway:{gateway.pk}"
        audit.append("gateway.proposed", subject=subject, actor=actor, at=now, reason=reason, details=details)
    elif journal.propose(gateway, reason=reason, actor=actor, now=now):
        Gateway.objects.filter(pk=gateway.pk).update(pool=pool)
    elif gateway.state != Gateway.State.PROPOSED or gateway.pool_id != pool.pk:
        raise Refused(f"A gateway called {gateway.name} is in the fleet already.")
    return gateway


def _waiting(name: str) -> Gateway:
    gateway = Gateway.objects.filter(name=name, state=Gateway.State.PROPOSED).first()
    if gateway is None:
        raise Refused(f"{name} does not wait for its enrolment any more.")
    return gateway


def _line(entry: Mapping[str, Any]) -> str:
    keys = ", ".join(f"{kind} {fingerprint_of(key)}" for kind, key in entry["keys"])
    return f"{entry['name']} at {entry['address']}:{entry['port']} as {entry['ssh_user']}: {keys}"


def _pairs(gateway: Gateway) -> list[list[str]]:
    return sorted([kind, key] for kind, key in gateway.host_keys.values_list("kind", "key"))
