"""What probe hosts found, for pages that show it."""

from __future__ import annotations

from typing import Any

from fleet.models import Gateway, OutsideReading, Probe, ProbeHost, ProbeReading, PrometheusSource
from fleet.probes import rounds
from fleet.probes.rounds import Found
from tests import scenes

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
GOOD = {
    **{"outcome": "ok", "stage": "traffic", "why": "", "connections": 1, "address": "10.101.6.9", "dtls": True},
    **{"connect_ms": 11.2, "handshake_ms": 38.4, "login_ms": 212.0, "tunnel_ms": 405.0},
    **{"sent": 10, "lost": 0, "rtt_ms": 11.9, "jitter_ms": 0.8, "kbit_s": 42_300},
}
REFUSED = {"outcome": "refused", "stage": "password", "why": "Login failed.", "connections": 1, "handshake_ms": 40.1}
CLOSED = {
    "outcome": "closed",
    "stage": "tls",
    "why": "The TLS connection was non-properly terminated.",
    "connect_ms": 9,
}
CONFIG = {"slots": {"1": {"pool4": "10.101.4.0/23"}, "2": {"pool4": "10.101.6.0/23"}}}


def hour(host: ProbeHost, gateway: Gateway, now: float) -> list[ProbeReading]:
    """A probe a minute, of which the second host's are slower and fail now and then."""
    made, far = [], host.name == "probe-oslo"
    for minute in range(2, 60):
        slow = (1.8 if far else 1.0) * (1 + 0.03 * (7 * minute % 11))
        lost, bad = int(far and minute % 5 == 0), far and minute % 13 == 0
        counts: dict[str, Any] = {
            "tried": 1,
            "failed": int(bad),
            "banned": 0,
            "sent": None if bad else 10,
            "lost": None if bad else lost,
        }
        took = {"connect_ms": 11.0 * slow, "handshake_ms": 38.0 * slow}
        took |= {} if bad else {"login_ms": 212.0 * slow, "tunnel_ms": 405.0 * slow, "rtt_ms": 12.0 * slow}
        made.append(ProbeReading(host=host, gateway=gateway, span=1, at=int(now) - 60 * minute, **counts, **took))
    return made


def probed() -> int:
    """Two hosts of one pool: one finds a gateway well and refused elsewhere, the other is shut out. The gateway."""
    made = scenes.scene("draining", on="bern")
    first, second = Gateway.objects.filter(pool=made.rollout.pool).order_by("name")[:2]
    Gateway.objects.filter(pk__in=[first.pk, second.pk]).update(config=CONFIG, public_address="vpn.example.org")
    where = {"pool": made.rollout.pool, "key_kind": "ssh-ed25519", "key": KEY}
    berlin = ProbeHost.objects.create(name="probe-berlin", address="192.0.2.40", seen_from="192.0.2.40", **where)
    say = "probe-oslo did not answer at 192.0.2.41:22 within 5 s."
    oslo = ProbeHost.objects.create(name="probe-oslo", address="192.0.2.41", seen_from="192.0.2.41", say=say, **where)
    now = made.now.timestamp()
    for host, gateway, found in ((berlin, first, GOOD), (berlin, second, REFUSED), (oslo, first, CLOSED)):
        gateway.refresh_from_db()
        Probe.objects.create(host=host, gateway=gateway, due_at=now)
        rounds.store(host, [Found(gateway, now - 40, found)])
    ProbeReading.objects.bulk_create([*hour(berlin, first, now), *hour(oslo, first, now)])
    ProbeHost.objects.filter(pk=berlin.pk).update(answered_at=now - 38)
    for ago in range(60, 200):
        counts: dict[str, Any] = {"tried": 1, "failed": 0, "banned": 0, "sent": 10, "lost": int(ago % 60 == 0)}
        times = {"login_ms": 190.0 + ago % 30, "handshake_ms": 36.0, "connect_ms": 11.0, "tunnel_ms": 390.0}
        felt = {"rtt_ms": 12.0, "jitter_ms": 0.9, "kbit_s": 41_000}
        at = {"gateway": first, "host": berlin, "span": ProbeReading.ONE, "at": int(now) - 60 * ago}
        ProbeReading.objects.create(**at, **counts, **times, **felt)
    exported(first, now)
    return first.pk


def exported(gateway: Gateway, now: float) -> None:
    """What a Prometheus said of it in the last hour."""
    said = {"asked_at": now, "answered_at": now - 4, "queries": {"banned": 'bans{vpn=~"{gateway}"}'}}
    PrometheusSource.objects.create(name="prom-eu", pool=gateway.pool, url="https://prometheus.example.org", **said)
    for ago in range(120):
        machine = {"cpu_percent": 40.0 + ago // 9, "memory_percent": 61.5, "tracked_percent": 12.25}
        users = {"sessions": 310 + ago // 6, "failures": 0.2 * (ago // 20), "auth_seconds": 1.0}
        OutsideReading.objects.create(gateway=gateway, at=int(now) - 30 * ago - 4, **machine, **users)
