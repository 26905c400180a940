"""From a gateway's row to the balancer in front of it: pinned keys, the sealed private key, the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import paramiko
from django.db import transaction
from django.utils import timezone

from approvals import audit
from approvals.models import Actor
from fleet import sealed
from fleet.errors import GiveUp
from fleet.gateways.dial import HostKeyChanged, Target, private_key
from fleet.gateways.kept import KEEPER, Loan
from fleet.models import Balancer, BalancerPeer, Gateway
from fleet.traffic.balanced import Balanced
from fleet.traffic.haproxy import HaproxyDoor
from fleet.traffic.ports import WHOLE, Door, Slot, Traffic

BALANCER_KEY = "balancer-key"
"""The credential's name. Not the gateways' key: who takes one machine's login has no business on the other kind."""

Opener = Callable[[BalancerPeer, Gateway, Mapping[Slot, str]], Door]


def open(gateway: Gateway) -> Traffic | None:
    """The balancer in front of a gateway, None where none is. It connects at the first question; close() gives back."""
    if gateway.front_id is None or gateway.front is None:
        return None
    servers = slots_of(gateway)
    opener = DRIVERS[gateway.front.kind]
    doors = [opener(peer, gateway, servers) for peer in gateway.front.peers.order_by("name")]
    return Balanced(gateway.name, doors, slots=servers)


@contextmanager
def opened(gateway: Gateway) -> Iterator[Traffic | None]:
    """The same, given back at the end."""
    traffic = open(gateway)
    try:
        yield traffic
    finally:
        if traffic is not None:
            traffic.close()


def slots_of(gateway: Gateway) -> dict[Slot, str]:
    """Slot → its server's name in the backend; WHOLE where the balancer knows the gateway as one server."""
    return {int(slot) if slot else WHOLE: str(name) for slot, name in gateway.servers.items()}


def way_of(gateway: Gateway) -> str:
    """How an upgrade moves users here: a name in upgrader.flow.TRAFFIC.

    Behind a balancer the gateway's kernel sees one address for all users, so it can't tell who belongs where.
    """
    if gateway.front_id is not None:
        return "proxy" if WHOLE not in slots_of(gateway) else "in_place"
    return "in_place" if gateway.facts.get("steers") is False else "handover"


def will_cut(gateway: Gateway, *, left_most: int) -> int:
    """How many users an upgrade in place cuts: all of them, or those that a drain in front may leave (`left_most`)."""
    if way_of(gateway) != "in_place":
        return 0
    return min(gateway.sessions, left_most) if gateway.front_id else gateway.sessions


def _haproxy(peer: BalancerPeer, gateway: Gateway, servers: Mapping[Slot, str]) -> Door:
    if peer.shut:
        raise HostKeyChanged(f"{peer.name} is shut. {peer.shut}")
    loan = Loan(KEEPER, target_of(peer), key=_key, on_changed=partial(_shut, peer))
    return HaproxyDoor(peer.name, loan, gateway=gateway.name, backend=gateway.backend, servers=servers)


def target_of(peer: BalancerPeer) -> Target:
    return Target(peer.name, peer.address, peer.port, peer.ssh_user, ((peer.key_kind, peer.key),))


def _shut(peer: BalancerPeer, changed: HostKeyChanged) -> None:
    """Nobody talks to it from now on, until two persons pinned its key anew."""
    now = timezone.now()
    with transaction.atomic():
        if BalancerPeer.objects.filter(pk=peer.pk, shut="").update(shut=changed.say):
            subject, actor = f"balancer:{peer.balancer_id}", Actor.machine("ssh")
            audit.append("balancer.shut", subject=subject, actor=actor, at=now, reason=changed.say)


def _key() -> paramiko.PKey:
    secret = sealed.unseal_or_none(BALANCER_KEY)
    if secret is None:
        raise GiveUp(f'There is no credential "{BALANCER_KEY}". Make one: manage.py balancer key.', code="no_ssh_key")
    return private_key(secret, name=f'The credential "{BALANCER_KEY}"')


DRIVERS: dict[str, Opener] = {Balancer.Kind.HAPROXY: _haproxy}
"""Kind of balancer → what opens the door to one of its peers. docs/traffic.md says how to add one."""
