"""Balancers come, change and go by two persons, like gateways (approvals/changes.py); and how they are looked at."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack

from django.db import transaction
from django.db.models import Q

from approvals import audit, changes
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import enrolment, services, traffic
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.answers import GatewayBug
from fleet.gateways.dial import HOST_KEY_TYPES, fingerprint_of
from fleet.models import Balancer, BalancerPeer, Gateway, Pool
from fleet.phrases import count, listed

ADD, ATTACH, REMOVE = "balancer.add", "balancer.attach", "balancer.remove"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of a backend and its servers; hagate takes no other
PEERS_MOST = 8


@dataclass(frozen=True)
class AskedPeer:
    """One machine of a balancer as a person wants it."""

    name: str
    address: str
    key_kind: str
    key: str  # base64
    port: int = 22
    ssh_user: str = "hagate"


@dataclass(frozen=True)
class Place:
    """Where a gateway stands behind a balancer. `servers`: {"": name} or {"1": name, "2": name}; none: it leaves."""

    balancer: str
    backend: str = ""
    servers: Mapping[str, str] | None = None


class Said(TypedDict):
    """Who asks, when and why."""

    by: User
    actor: Actor
    now: datetime
    why: NotRequired[str]


def peer_of(text: str) -> AskedPeer:
    """One machine from its line, NAME=USER@ADDRESS:PORT,KIND,KEY; a key as ssh-keyscan and *.pub files write it."""
    name, _, rest = text.strip().partition("=")
    where, _, key = rest.partition(",")
    kind, _, key = key.strip().replace(" ", ",").partition(",")
    user, _, address = where.rpartition("@")
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and key):
        raise Refused(f"“{text[:60]}” is not NAME=USER@ADDRESS:PORT,KIND,KEY.")
    return AskedPeer(name, host, kind, key.split(",")[0], int(port), user or "hagate")


def propose(
    name: str, pool: Pool, peers: Sequence[AskedPeer], *, shared: Collection[str] = (), **said: Unpack[Said]
) -> Request:
    """Ask a second person for a balancer with exactly these peers; one of that name gets them instead of its own.

    `shared`: names of other pools whose gateways may stand behind it, too.
    """
    _refuse_bad(name, pool, peers)
    _sharers(pool, shared)
    lines = [f"{one.name} at {one.address}:{one.port} as {one.ssh_user}: {_print(one)}" for one in peers]
    lines += [f"Gateways of {listed(sorted(shared))} may stand behind it, too."] if shared else []
    return changes.propose(
        ADD,
        **said,
        subject=f"balancer:{name}",
        scope=f"pool:{pool.pk}",
        payload={
            "name": name,
            "pool": pool.name,
            "peers": [asdict(one) for one in peers],
            "shared": sorted(shared),
        },
        title=f"Steer users at the balancer {name} with {listed([one.name for one in peers])}",
        lines=[*lines, enrolment.COMPARE],
    )


def added(applied: Applied) -> None:
    """The second person said yes: its peers are these, with these host keys."""
    said = applied.payload
    pool = _pool(applied)
    peers = [AskedPeer(**one) for one in said["peers"]]
    _refuse_bad(str(said["name"]), pool, peers)
    balancer, _ = Balancer.objects.get_or_create(name=said["name"], defaults={"pool": pool})
    balancer.peers.all().delete()
    BalancerPeer.objects.bulk_create(BalancerPeer(balancer=balancer, **asdict(one)) for one in peers)
    shared = said.get("shared", [])
    _refuse_left_behind(balancer, shared)
    balancer.shared_with.set(_sharers(pool, shared))
    _note("balancer.added", balancer, applied, peers={one.name: _print(one) for one in peers}, shared=shared)


def propose_place(gateway: Gateway, place: Place, **said: Unpack[Said]) -> Request:
    """Ask a second person to say that a gateway stands behind a balancer, or behind none any more."""
    _refuse_bad_place(gateway, place)
    servers = dict(place.servers or {})
    where = f"behind {place.balancer}" if place.balancer else "behind no balancer"
    shown = ", ".join(f"{f'slot {slot}' if slot else 'the gateway'} is {name}" for slot, name in servers.items())
    return changes.propose(
        ATTACH,
        **said,
        subject=f"gateway:{gateway.pk}",
        scope=f"pool:{gateway.pool_id}",
        payload={"gateway": gateway.name, "balancer": place.balancer, "backend": place.backend, "servers": servers},
        title=f"{gateway.name} stands {where}",
        lines=[f"In the backend {place.backend} {shown}."] if place.balancer else [],
    )


def placed(applied: Applied) -> None:
    """The second person said yes: from now on that balancer is asked when this gateway is upgraded."""
    said = applied.payload
    gateway = Gateway.objects.get(name=said["gateway"])
    _refuse_bad_place(gateway, Place(str(said["balancer"]), str(said["backend"]), said["servers"]))
    front = Balancer.objects.filter(name=said["balancer"]).first()
    columns = {"front": front, "backend": said["backend"], "servers": said["servers"]}
    Gateway.objects.filter(pk=gateway.pk).update(**columns)
    shown = {"balancer": said["balancer"], "backend": said["backend"], "servers": said["servers"]}
    subject, why = f"gateway:{gateway.pk}", str(applied.request.summary.get("why", ""))
    audit.append("gateway.placed", subject=subject, actor=applied.actor, at=applied.now, reason=why, details=shown)


def propose_removal(balancer: Balancer, **said: Unpack[Said]) -> Request:
    """Ask a second person to forget a balancer. Refused while gateways stand behind it."""
    _refuse_used(balancer)
    return changes.propose(
        REMOVE,
        **said,
        subject=f"balancer:{balancer.name}",
        scope=f"pool:{balancer.pool_id}",
        payload={"name": balancer.name},
        title=f"Forget the balancer {balancer.name}",
    )


def removed(applied: Applied) -> None:
    balancer = Balancer.objects.get(name=applied.payload["name"])
    _refuse_used(balancer)
    _note("balancer.removed", balancer, applied)
    balancer.delete()


def look(balancer: Balancer, *, now: datetime) -> bool:
    """Ask the peers how this balancer's gateways stand, and keep it for the pages; True when all answered."""
    seen: dict[str, Any] = {"gateways": {}, "say": ""}
    for gateway in balancer.gateways.select_related("front"):
        try:
            with traffic.opened(gateway) as front:
                if front is not None:
                    seen["gateways"][gateway.name] = _shown(front.state())
        except (RetryLater, GiveUp, GatewayBug) as silence:
            seen["say"] = silence.say
    Balancer.objects.filter(pk=balancer.pk).update(seen=seen, seen_at=now)
    return not seen["say"]


def _shown(state: Any) -> dict[str, Any]:
    peers = [
        {"name": peer.name, "version": peer.version, "servers": [asdict(server) for server in peer.servers]}
        for peer in state.peers
    ]
    return {"peers": peers, "differences": [one.say for one in state.disagreements()], "sessions": state.sessions()}


def _refuse_bad(name: str, pool: Pool, peers: Sequence[AskedPeer]) -> None:
    if not enrolment.NAME.fullmatch(name):
        raise Refused(f"“{name[:70]}” is no name: small letters, digits, dots and hyphens, at most 63.")
    if not 1 <= len(peers) <= PEERS_MOST or len({one.name for one in peers}) < len(peers):
        raise Refused(f"A balancer has 1 to {PEERS_MOST} peers, each with a name of its own.")
    for one in peers:
        asked = enrolment.Asked(one.name, one.address, one.port, one.ssh_user)
        if say := enrolment.why_not(asked):
            raise Refused(say)
        if one.key_kind not in HOST_KEY_TYPES:
            raise Refused(f"{one.name} needs a host key of kind {' or '.join(HOST_KEY_TYPES)}.")
        services.checked_pairs(one.name, [(one.key_kind, one.key)])
    there = Balancer.objects.filter(name=name).exclude(pool=pool).first()
    if there:
        raise Refused(f"There is a balancer {name} of another pool, {there.pool.name}.")


def _refuse_bad_place(gateway: Gateway, place: Place) -> None:
    if say := enrolment.why_busy(gateway):
        raise Refused(say)
    if not place.balancer:
        return
    mine = Q(pool=gateway.pool_id) | Q(shared_with=gateway.pool_id)
    if not (balancer := Balancer.objects.filter(mine, name=place.balancer).first()):
        raise Refused(f"The pool {gateway.pool.name} has no balancer {place.balancer}.")
    servers = dict(place.servers or {})
    if set(servers) != {""} and not (len(servers) >= 2 and set(servers) <= {"1", "2", "3"}):
        raise Refused("Name one server for the whole gateway, or one for each of at least two slots.")
    if bad := [name for name in (place.backend, *servers.values()) if not NAME.fullmatch(name)]:
        raise Refused(f"“{bad[0][:70]}” is no name of a backend or a server.")
    for other in Gateway.objects.filter(front=balancer, backend=place.backend).exclude(pk=gateway.pk):
        # Who names another's server as his own would steer that one's users.
        if taken := sorted({*servers.values()} & {*other.servers.values()}):
            raise Refused(f"In the backend {place.backend} {taken[0]} is a server of {other.name}.")


def _sharers(pool: Pool, names: Collection[str]) -> list[Pool]:
    """The pools of these names. Refused for one that there is not, and for the balancer's own."""
    found = list(Pool.objects.filter(name__in=names).exclude(pk=pool.pk))
    if missing := sorted(set(names) - {one.name for one in found}):
        raise Refused(f"There is no other pool {listed(missing)} to share a balancer of {pool.name} with.")
    return found


def _refuse_left_behind(balancer: Balancer, shared: Collection[str]) -> None:
    """Refused while gateways of a pool that it is no longer shared with stand behind it."""
    left = balancer.gateways.exclude(pool=balancer.pool_id).exclude(pool__name__in=shared)
    if names := list(left.values_list("name", flat=True)):
        raise Refused(f"Behind {balancer.name} there is {listed(names, 8)} of a pool that it would not be shared with.")


def _refuse_used(balancer: Balancer) -> None:
    if names := list(balancer.gateways.values_list("name", flat=True)):
        raise Refused(f"Behind {balancer.name} there is {count(len(names), 'gateway')}: {listed(names, 8)}.")


def _pool(applied: Applied) -> Pool:
    pool = Pool.objects.filter(name=applied.payload["pool"]).first()
    if pool is None or applied.request.scope != f"pool:{pool.pk}":
        raise Refused(f"The pool {applied.payload['pool']} is gone, or another by now. Ask anew.")
    return pool


def _note(verb: str, balancer: Balancer, applied: Applied, **details: Any) -> None:
    why = str(applied.request.summary.get("why", ""))
    subject, shown = f"balancer:{balancer.pk}", {"name": balancer.name, **details}
    with transaction.atomic():
        audit.append(verb, subject=subject, actor=applied.actor, at=applied.now, reason=why, details=shown)


def _print(one: AskedPeer) -> str:
    return f"{one.key_kind} {fingerprint_of(one.key)}"
