"""One round of one host: take the gateways that are due, probe them, store all of it in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from fleet import sealed
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.answers import GatewayBug
from fleet.models import Gateway, Probe, ProbeHost, ProbeReading, Watch
from fleet.probes import door, hosts, journal, pace
from fleet.probes.verdict import GOOD, NO_EVIDENCE, Inside, Outcome, meaning, slot_of

FRESH_SECONDS = 60.0  # what the collector heard longer ago says nothing about now
MEASURED = ("connect_ms", "handshake_ms", "login_ms", "tunnel_ms", "rtt_ms", "jitter_ms", "kbit_s", "sent", "lost")
RUNNING = frozenset({"serving", "draining", "adopted"})
Opener = Callable[[ProbeHost], door.Prober]


@dataclass(frozen=True)
class Found:
    """One result with the gateway that it is about."""

    gateway: Gateway
    at: float
    raw: Mapping[str, Any]


def due_hosts(now: float) -> list[int]:
    """Hosts that have something to do now."""
    if not settings.PROBE_SECONDS:
        return []
    return [host.pk for host in ProbeHost.objects.filter(shut="") if new(host).exists() or overdue(host, now).exists()]


def due(host: ProbeHost, now: float) -> list[Gateway]:
    """Gateways of its pool that it should probe now, at most door.MOST: new ones, then the most overdue."""
    first = list(new(host).order_by("pk")[: door.MOST])
    return [*first, *overdue(host, now).order_by("probes__due_at")[: door.MOST - len(first)]]


def new(host: ProbeHost) -> QuerySet[Gateway]:
    """Gateways that it has never been asked about."""
    return of_pool(host.pool_id).exclude(pk__in=Probe.objects.filter(host=host).values("gateway"))


def overdue(host: ProbeHost, now: float) -> QuerySet[Gateway]:
    return of_pool(host.pool_id).filter(probes__host=host, probes__due_at__lte=now)


def of_pool(pool_id: int) -> QuerySet[Gateway]:
    """Gateways that can be probed: real ones, spoken to, whose users' address is known."""
    able = Gateway.objects.filter(pool=pool_id, state__in=Gateway.SPOKEN_TO).exclude(public_address="")
    return able.exclude(adapter=Gateway.Adapter.MEMORY).defer("inventory", "seen_keys")


def probe(host: ProbeHost, *, opener: Opener = door.open, clock: Callable[[], float] = time.time) -> int:
    """Probe what is due; return how many gateways. Never raises for what a host or a gateway does."""
    now = clock()
    until = now + pace.wait(float(settings.PROBE_SECONDS), "")
    wanted = {gateway.pk: gateway for gateway in due(host, now)}
    taken = [wanted[pk] for pk in journal.reserve(host.pk, wanted, now=now, until=until)]
    if not taken:
        return 0
    by_name, came = {gateway.name: gateway for gateway in taken}, []

    def seen(raw: Mapping[str, Any]) -> None:
        if gateway := by_name.pop(str(raw.get("gateway")), None):
            came.append(Found(gateway, clock(), raw))

    try:
        reached = opener(host)
        try:
            reached.probe([wish_of(host, gateway) for gateway in taken], seen=seen)
        finally:
            reached.close()
    except (RetryLater, GiveUp, GatewayBug) as silence:
        # It says nothing about any gateway, but what came before is as good as ever.
        journal.missed(host, at=clock(), say=silence.say)
    else:
        journal.answered(host.pk, at=clock())
    store(host, came)
    return len(came)


def wish_of(host: ProbeHost, gateway: Gateway) -> dict[str, Any]:
    """What probegate is asked for one gateway; without a probe account it ends at the form."""
    secret = sealed.unseal_or_none(f"probe:{gateway.name}")
    user, _, password = (secret or b"").decode().partition("\n")
    port = int(gateway.config.get("port", 443))
    account = {"user": user, "password": password, "ping": host.ping or "", "fetch": host.fetch}
    hidden = sealed.unseal_or_none(hosts.secret_name(gateway))
    # Only where there is one: an older probegate knows no such part.
    behind = {"secret": hidden.decode()} if hidden else {}
    return {"gateway": gateway.name, "host": gateway.public_address, "port": port, **account, **behind}


def store(host: ProbeHost, came: list[Found]) -> None:
    """Readings and how each gateway was left, in one transaction."""
    if not came:
        return
    watches = Watch.objects.in_bulk([one.gateway.pk for one in came])
    made = [(one, *read(host, one, inside_of(one.gateway, watches.get(one.gateway.pk), one.at))) for one in came]
    with transaction.atomic():
        there = set(
            Gateway.objects.filter(pk__in=watches.keys() | {one.gateway.pk for one in came}).values_list(
                "pk", flat=True
            )
        )
        kept = [(one, reading, columns) for one, reading, columns in made if one.gateway.pk in there]
        ProbeReading.objects.bulk_create([reading for _, reading, _ in kept], ignore_conflicts=True)
        for one, _, columns in kept:
            journal.found(host.pk, one.gateway.pk, columns)


def inside_of(gateway: Gateway, watch: Watch | None, now: float) -> Inside:
    """What the collector heard of the gateway lately. Behind a balancer its own ocserv tells nothing of who closed."""
    if watch is None or watch.misses or now - watch.answered_at > FRESH_SECONDS:
        return Inside()
    told = [last for last in watch.slots.values() if last.get("at") == watch.answered_at]
    return Inside(bool(told) and gateway.front_id is None, any(last.get("banned_probes") for last in told))


def read(host: ProbeHost, one: Found, inside: Inside) -> tuple[ProbeReading, dict[str, Any]]:
    """The reading of one result, and the columns of its Probe."""
    raw, gateway = one.raw, one.gateway
    found = meaning(raw, inside, host=host.name, gateway=gateway.name)
    slot, release = slot_of(str(raw.get("address") or ""), gateway.config, running(gateway))
    values = {name: number(raw.get(name)) for name in MEASURED}
    # What the host could not do itself is no sign-in that went well.
    counts = {
        "tried": int(found.outcome not in (Outcome.HOST, Outcome.MORE, Outcome.HIDDEN)),
        "failed": int(found.outcome not in GOOD | NO_EVIDENCE),
    }
    counts["banned"] = int(found.outcome == Outcome.BANNED)
    reading = ProbeReading(
        gateway=gateway, host=host, span=ProbeReading.ONE, at=int(one.at), slot=slot, release=release
    )
    for name, value in {**values, **counts, "dtls": int(raw["dtls"] is True) if "dtls" in raw else None}.items():
        setattr(reading, name, value)
    wait = pace.wait(float(settings.PROBE_SECONDS), found.outcome, connections=int(number(raw.get("connections")) or 0))
    shown = {
        **values,
        "slot": slot,
        "release": release,
        "dtls": raw.get("dtls") is True,
        "stage": str(raw.get("stage"))[:20],
    }
    columns = {"at": one.at, "due_at": one.at + wait, "outcome": found.outcome, "say": found.say, "values": shown}
    return reading, columns | in_a_row(host, one, found.outcome)


def in_a_row(host: ProbeHost, one: Found, outcome: Outcome) -> dict[str, Any]:
    """Failures in a row, and when it was good last. What is no evidence changes neither."""
    if outcome in GOOD:
        return {"failures": 0, "good_at": one.at}
    if outcome in NO_EVIDENCE:
        return {}
    before = Probe.objects.filter(host=host, gateway=one.gateway).values_list("failures", flat=True).first()
    return {"failures": (before or 0) + 1}


def running(gateway: Gateway) -> dict[int, str]:
    """Slot → release of those in which an ocserv runs, as the gateway last said."""
    slots: list[dict[str, Any]] = (gateway.facts or {}).get("slots", [])
    return {int(slot["slot"]): str(slot.get("release", "")) for slot in slots if slot.get("state") in RUNNING}


def moment(at: float) -> datetime | None:
    """Epoch seconds as a page shows them; None for never."""
    return datetime.fromtimestamp(at, UTC) if at else None


def number(given: object) -> float | None:
    """A number that a host said, and nothing else of what it may say."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if 0 <= given < 1e9 else None
