"""What the collector wrote while a wave was watched. See sights.py."""

from __future__ import annotations

import math
import random
import time
from datetime import timedelta
from typing import Any

from fleet.metrics.store import insert
from fleet.models import Gateway, Pool, Reading
from tests import factories as f
from tests.scenes import scene
from upgrader import live
from upgrader.models import Rollout, StepRun

POOL = "prague"
MINUTES = 48
MIB = 1024 * 1024


def row(gateway: Gateway, at: int, *, slot: int, release: str, **values: Any) -> dict[str, Any]:
    """One reading; what is not given is not known."""
    columns = [field.attname for field in Reading._meta.concrete_fields if field.attname != "id"]
    place = {"gateway_id": gateway.pk, "span": 5, "at": at, "slot": slot, "release": release, "seconds": 5.0}
    return {**dict.fromkeys(columns), **place, **values}


def felt(chance: random.Random, turn: int, *, new: bool) -> dict[str, Any]:
    """Numbers as they are on a gateway: the new release a little slower, and wrong passwords on both."""
    wave = math.sin(turn / 90)
    return {
        "logins": int(chance.random() < 0.4),
        "failures": int(chance.random() < (0.03 if new else 0.012)),
        "errors": int(chance.random() < 0.004),
        "handshake_ms": 18 + 3 * wave + chance.gauss(0, 1.2) + 2.5 * new,
        "rtt_ms": 42 + 6 * wave + chance.gauss(0, 2.5),
        "rss_bytes": (61 + turn / 120 if new else 88) * MIB,
        "sessions": min(90, turn // 4) if new else max(6, 120 - turn // 5),
    }


def fill(gateway: Gateway, to: str, *, since: int, until: int, shifted: int) -> None:
    """A reading each 5 s of the old slot, and of the new one from `shifted` on."""
    chance, rows = random.Random(gateway.pk), []
    for at in range(since, until, 5):
        rows.append(row(gateway, at, slot=1, release="1.1.6-2", **felt(chance, (at - since) // 5, new=False)))
        if at >= shifted:
            rows.append(row(gateway, at, slot=2, release=to, **felt(chance, (at - shifted) // 5, new=True)))
    insert(Reading, rows, skip=True)


def measured() -> int:
    """A wave that is watched for 42 minutes, with every reading of them: 560 points a line, and room for more."""
    known = Rollout.objects.filter(pool__name=POOL).first()
    if known is not None:
        return known.pk
    made = scene("observing", on=POOL)
    upgrade = made.upgrades(1)[0]
    begun = made.now - timedelta(minutes=MINUTES - 6)
    StepRun.objects.filter(upgrade=upgrade).update(started_at=begun)
    for step, minutes in zip(upgrade.steps.filter(name="shift").order_by("ordinal"), (4, 20), strict=True):
        StepRun.objects.filter(pk=step.pk).update(finished_at=begun + timedelta(minutes=minutes))
    now = int(time.time())
    shifted = int(begun.timestamp()) + 240
    to = made.rollout.release.name
    fill(upgrade.gateway, to, since=now - 60 * MINUTES, until=now - 10, shifted=shifted)
    f.probes(upgrade, since=begun, number=300)
    return made.rollout.pk


def measured_more() -> int:
    """One more reading of both slots, as the collector writes and tells it; returns when, epoch seconds."""
    gateway = Rollout.objects.get(pool__name=POOL).waves.get(number=1).upgrades.get().gateway
    at = int(time.time())
    new = {"handshake_ms": 77.0, "rtt_ms": 42.0, "sessions": 91, "logins": 1, "failures": 0, "rss_bytes": 64 * MIB}
    rows = [row(gateway, at, slot=1, release="1.1.6-2", **new), row(gateway, at, slot=2, release="1.3.0-2", **new)]
    insert(Reading, rows, skip=True)
    live.publish("readings")
    return at


def measured_gateway() -> int:
    """Its first gateway."""
    return Rollout.objects.get(pk=measured()).waves.get(number=1).upgrades.get().gateway_id


def measured_pool() -> int:
    """Its pool."""
    measured()
    return Pool.objects.get(name=POOL).pk
