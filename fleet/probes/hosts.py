"""Probe hosts come, change and go by two persons, like gateways and balancers (approvals/changes.py)."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack

from django.db import transaction

from approvals import audit, changes
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import enrolment, sealed, services
from fleet.gateways.dial import HOST_KEY_TYPES, fingerprint_of
from fleet.models import Gateway, Pool, ProbeHost
from fleet.probes.probegate.words import FETCH, SECRET

ADD, REMOVE = "probehost.add", "probehost.remove"


@dataclass(frozen=True)
class Asked:
    """A probe host as a person wants it. `seen_from`: where gateways see it come from; "" for its own address."""

    name: str
    address: str
    key_kind: str
    key: str  # base64
    port: int = 22
    ssh_user: str = "probegate"
    ssh_ca: bool = False
    seen_from: str = ""
    ping: str = ""
    fetch: str = ""


class Said(TypedDict):
    """Who asks, when and why."""

    by: User
    actor: Actor
    now: datetime
    why: NotRequired[str]


def asked_of(name: str, where: str, key: str, **other: Any) -> Asked:
    """From `[USER@]ADDRESS[:PORT]` and a host key as *.pub files have it. Refused says what can't be read."""
    user, _, address = where.strip().rpartition("@")
    host, colon, port = address.rpartition(":")
    if not colon or "]" in port or host.count(":") > 0 and not host.startswith("["):
        host, port = address, "22"
    if not (port.isascii() and port.isdigit() and len(port) < 6):
        raise Refused(f"“{where[:80]}” is not USER@ADDRESS:PORT.")
    kind, _, rest = key.strip().partition(" ")
    return Asked(name.strip(), host.strip("[]"), kind, rest.split(" ")[0], int(port), user or "probegate", **other)


def propose(wish: Asked, pool: Pool, **said: Unpack[Said]) -> Request:
    """Ask a second person for a probe host of this pool; one of that name becomes this one."""
    refuse_bad(wish, pool)
    through = f"{wish.fetch} is fetched" if wish.fetch else "echo packets are sent"
    return changes.propose(
        ADD,
        **said,
        subject=f"probehost:{wish.name}",
        scope=f"pool:{pool.pk}",
        payload={"pool": pool.name, **asdict(wish)},
        title=f"Probe the gateways of {pool.name} from {wish.name}",
        lines=[
            f"{wish.name} at {wish.address}:{wish.port} as {wish.ssh_user}: {_print(wish)}",
            f"It signs in at each gateway with that gateway's probe account; through the tunnel {through}.",
            enrolment.COMPARE,
        ],
    )


def added(applied: Applied) -> None:
    """The second person said yes: it is this machine with this host key."""
    said = dict(applied.payload)
    pool = Pool.objects.filter(name=said.pop("pool")).first()
    if pool is None or applied.request.scope != f"pool:{pool.pk}":
        raise Refused(f"The pool {applied.payload['pool']} is gone, or another by now. Ask anew.")
    wish = Asked(**said)
    refuse_bad(wish, pool)
    columns = asdict(wish) | {"seen_from": wish.seen_from or wish.address, "ping": wish.ping or None}
    columns |= {"pool": pool, "shut": "", "misses": 0, "say": ""}
    host, _ = ProbeHost.objects.update_or_create(name=columns.pop("name"), defaults=columns)
    _note("probehost.added", host, applied, address=wish.address, host_key=_print(wish), ssh_ca=wish.ssh_ca)


def propose_removal(host: ProbeHost, **said: Unpack[Said]) -> Request:
    """Ask a second person to forget a probe host with all that it measured."""
    return changes.propose(
        REMOVE,
        **said,
        subject=f"probehost:{host.name}",
        scope=f"pool:{host.pool_id}",
        payload={"name": host.name},
        title=f"Probe from {host.name} no more",
        lines=["What it measured is deleted with it."],
    )


def removed(applied: Applied) -> None:
    host = ProbeHost.objects.filter(name=applied.payload["name"]).first()
    if host is None or applied.request.scope != f"pool:{host.pool_id}":
        raise Refused(f"The probe host {applied.payload['name']} is gone, or of another pool by now.")
    _note("probehost.removed", host, applied)
    host.delete()


def keep_account(gateway: Gateway, user: str, password: str, *, actor: Actor, now: datetime) -> None:
    """Seal the account that this gateway is probed with, by itself and from outside; none where `user` is empty."""
    name = f"probe:{gateway.name}"
    with transaction.atomic():
        if user:
            sealed.seal(name, f"{user}\n{password}".encode(), now=now)
        elif not sealed.drop(name):
            return
        verb = "gateway.probe_account_set" if user else "gateway.probe_account_dropped"
        audit.append(verb, subject=f"gateway:{gateway.pk}", actor=actor, at=now, details={"user": user})


def secret_name(gateway: Gateway) -> str:
    """Under which the secret of its camouflage is sealed."""
    return f"camouflage:{gateway.name}"


def keep_secret(gateway: Gateway, secret: str, *, actor: Actor, now: datetime) -> None:
    """Seal what stands behind the ? of its users' address, as its ocserv.conf has it; "" forgets it. Raise Refused."""
    if secret and not SECRET.fullmatch(secret):
        raise Refused("A camouflage secret is 1 to 128 letters, digits and signs that may stand in an address.")
    with transaction.atomic():
        if secret:
            sealed.seal(secret_name(gateway), secret.encode(), now=now)
        elif not sealed.drop(secret_name(gateway)):
            return
        verb = "gateway.camouflage_set" if secret else "gateway.camouflage_dropped"
        audit.append(verb, subject=f"gateway:{gateway.pk}", actor=actor, at=now, details={})


def refuse_bad(wish: Asked, pool: Pool) -> None:
    """Refused with the first thing that is wrong."""
    if not enrolment.NAME.fullmatch(wish.name) or len(wish.name) > 60:
        raise Refused(f"“{wish.name[:70]}” is no name: small letters, digits, dots and hyphens, at most 60.")
    if say := enrolment.why_not(enrolment.Asked(wish.name, wish.address, wish.port, wish.ssh_user)):
        raise Refused(say)
    if wish.key_kind not in HOST_KEY_TYPES:
        raise Refused(f"{wish.name} needs a host key of kind {' or '.join(HOST_KEY_TYPES)}, as its *.pub file has it.")
    services.checked_pairs(wish.name, [(wish.key_kind, wish.key)])
    if not _is_address(wish.seen_from or wish.address):
        raise Refused(f"Say the IP address from which gateways see {wish.name}: its own address is a name.")
    if wish.ping and not _is_address(wish.ping, version=4):
        raise Refused(f"“{wish.ping[:60]}” is no IPv4 address to ping.")
    if wish.fetch and not FETCH.fullmatch(wish.fetch):
        raise Refused(f"“{wish.fetch[:80]}” is no address to fetch: http://HOST/PATH, reached through the tunnel.")
    other = ProbeHost.objects.filter(name=wish.name).exclude(pool=pool).first()
    if other:
        raise Refused(f"There is a probe host {wish.name} of another pool, {other.pool.name}.")


def _is_address(text: str, *, version: int = 0) -> bool:
    try:
        return ipaddress.ip_address(text).version == version or not version
    except ValueError:
        return False


def _note(verb: str, host: ProbeHost, applied: Applied, **details: Any) -> None:
    why = str(applied.request.summary.get("why", ""))
    with transaction.atomic():
        audit.append(
            verb,
            subject=f"probehost:{host.pk}",
            actor=applied.actor,
            at=applied.now,
            reason=why,
            details={"name": host.name, **details},
        )


def _print(wish: Asked) -> str:
    return f"{wish.key_kind} {fingerprint_of(wish.key)}"
