"""What is on each gateway, asked for in a slower rhythm than its facts: hashing all files of a host costs something."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db.models import F, Q

from fleet import alerts, ports, rotation
from fleet.drift import Difference
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.answers import GatewayBug
from fleet.gateways.dial import HostKeyChanged
from fleet.inventory import Inventory
from fleet.models import Gateway

LOOK_SECONDS = 10  # how often `due` is asked
AT_LEAST = 20  # gateways a turn, so that a small fleet is looked at at once after a start


def due(now: datetime, *, every: int, busy: Collection[int] = ()) -> list[int]:
    """Ids of the gateways whose stock is older than `every` seconds, the oldest first.

    Twice as many a turn as the rhythm needs: a fleet that nobody asked for a while catches up, but not all at once.
    """
    here = Gateway.objects.filter(state=Gateway.State.ENROLLED)
    turn = max(AT_LEAST, 2 * LOOK_SECONDS * here.count() // every)
    old = Q(inventory_at=None) | Q(inventory_at__lte=now - timedelta(seconds=every))
    rows = here.filter(old).exclude(pk__in=busy).order_by(F("inventory_at").asc(nulls_first=True))
    return list(rows.values_list("pk", flat=True)[:turn])


def take(gateway: Gateway, *, opener: Callable[[Gateway], ports.Gateway], now: datetime) -> Inventory | None:
    """Ask a gateway what is on it and keep the answer; None when it gave none. Never raises for what a gateway does."""
    if gateway.state != Gateway.State.ENROLLED:
        return None
    try:
        reached = opener(gateway)
        try:
            there = reached.inventory()
        finally:
            reached.close()
    except (RetryLater, HostKeyChanged):
        return None
    except (GiveUp, GatewayBug) as no:
        _cannot_say(gateway, no.say, now=now)
        return None
    Gateway.objects.filter(pk=gateway.pk).update(inventory=dict(there.raw), inventory_at=now)
    rotation.note_trust_in_ca(gateway, there.authorized_keys_sha256)
    return there


def _cannot_say(gateway: Gateway, why: str, *, now: datetime) -> None:
    """No inventory is no good news: it is said."""
    version = str(gateway.facts.get("ocgate", "") or "of unknown version")
    say = f"{gateway.name} can't say what is on it, so nobody knows whether it drifted. Its ocgate is {version}: {why}"
    alerts.note(gateway, [Difference("inventory", say, "", version)], judged=["inventory"], now=now)
    Gateway.objects.filter(pk=gateway.pk).update(inventory={}, inventory_at=now)
