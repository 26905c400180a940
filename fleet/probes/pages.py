"""What pages show of probes: how a gateway looks from each host, and how the hosts stand. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from fleet.models import Gateway, Pool, Probe, ProbeHost
from fleet.probes import rollup, rounds
from fleet.selectors import fingerprint
from fleet.words import UNKNOWN, Word

HOURS = 24
MOST = 100  # hosts on one page
GATEWAYS_MOST = 200  # of one host
STALE_TIMES = 5  # so many intervals without a result: the number on the page is old
WORDS: Mapping[str, Word] = {
    "ok": Word("Signs in", "done", "circle-check"),
    "form": Word("Form only", "done", "circle-check"),
    "banned": Word("Probe banned", "waiting", "ban"),
    "refused": Word("Refused", "failed", "circle-x"),
    "more": Word("Asks for more", "waiting", "circle-question-mark"),
    "certificate": Word("Certificate", "failed", "circle-x"),
    "down": Word("No connection", "failed", "unplug"),
    "closed": Word("Closed at once", "failed", "unplug"),
    "late": Word("Too slow", "failed", "hourglass"),
    "silent": Word("No traffic", "failed", "circle-x"),
    "no_fetch": Word("No traffic", "failed", "circle-x"),
    "failed": Word("Failed", "failed", "circle-x"),
    "host": Word("Host can't probe", "unknown", "circle-question-mark"),
}
PHASES = (
    ("Until TCP", "connect_ms"),
    ("Until TLS", "handshake_ms"),
    ("Until signed in", "login_ms"),
    ("Until the tunnel", "tunnel_ms"),
    ("Round trip", "rtt_ms"),
    ("Jitter", "jitter_ms"),
)


def of_gateway(gateway: Gateway, now: float) -> dict[str, Any]:
    """The context of _gateway_probes.html: each host of its pool, with the last probe and the last day."""
    day = rollup.summed(gateway.pk, since=now - 3600 * HOURS)
    last = {probe.host_id: probe for probe in Probe.objects.filter(gateway=gateway)}
    hosts = ProbeHost.objects.filter(pool=gateway.pool_id)[:MOST]
    return {
        "probes": [_row(host, last.get(host.pk), day.get(host.pk, {}), now) for host in hosts],
        "why_no_probe": why_not(gateway),
    }


def why_not(gateway: Gateway) -> str:
    """Why no host probes this gateway; "" where they should."""
    if not settings.PROBE_SECONDS:
        return "Probes are switched off (HANDOVER_PROBE_SECONDS is 0)."
    if gateway.adapter == Gateway.Adapter.MEMORY:
        return f"{gateway.name} is simulated: nobody can sign in at it."
    if not gateway.public_address:
        return f"It is not said where users connect to {gateway.name}, so no host can sign in there."
    if gateway.state not in Gateway.SPOKEN_TO:
        return f"{gateway.name} is {gateway.state}: nobody signs in at it."
    return ""


def of_hosts(pools: QuerySet[Pool], now: float) -> dict[str, Any]:
    """The context of the page of all hosts."""
    rows = ProbeHost.objects.filter(pool__in=pools).select_related("pool")
    return {"hosts": [_host(row, now) for row in rows[:MOST]], "total": rows.count(), "most": MOST}


def _host(host: ProbeHost, now: float) -> dict[str, Any]:
    probes = list(Probe.objects.filter(host=host).exclude(at=0).select_related("gateway").order_by("gateway__name"))
    return {
        "row": host,
        "fingerprint": fingerprint(host.key),
        "answered": rounds.moment(host.answered_at),
        "probed": rounds.of_pool(host.pool_id).count(),
        "gateways": [_shown(probe, now) for probe in probes[:GATEWAYS_MOST]],
    }


def _row(host: ProbeHost, probe: Probe | None, day: Mapping[str, Any], now: float) -> dict[str, Any]:
    tried, failed = int(day.get("tried") or 0), int(day.get("failed") or 0)
    last: Mapping[str, Any] = probe.values if probe else {}
    phases = [(title, _ms(last.get(name)), _ms(day.get(name))) for title, name in PHASES]
    phases += [("Packets lost", _lost(last), _lost(day)), ("Transfer", _speed(last), _speed(day))]
    return {
        "host": host,
        **(_shown(probe, now) if probe else {"word": UNKNOWN, "say": "It has not been probed yet.", "at": None}),
        # What it has not come to is no row of dashes.
        "phases": [(title, one, mean) for title, one, mean in phases if (one, mean) != ("–", "–")],
        "good": f"{tried - failed} of {tried} good" if tried else "",
    }


def _shown(probe: Probe, now: float) -> dict[str, Any]:
    slot, release = probe.values.get("slot"), probe.values.get("release")
    stale = now - probe.at > STALE_TIMES * max(60.0, float(settings.PROBE_SECONDS)) and probe.due_at < now
    return {
        "gateway": probe.gateway,
        "word": UNKNOWN if stale else WORDS.get(probe.outcome, UNKNOWN),
        "say": f"{probe.say} Nothing newer has come since." if stale else probe.say,
        "at": rounds.moment(probe.at),
        "answered_by": f"slot {slot} · {release}" if slot and release else f"slot {slot}" if slot else "",
        "login": _ms(probe.values.get("login_ms")),
        "failures": probe.failures,
    }


def _ms(value: object) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _lost(values: Mapping[str, Any]) -> str:
    sent, lost = values.get("sent"), values.get("lost")
    return f"{100 * lost / sent:.1f} %" if sent and lost is not None else "–"


def _speed(values: Mapping[str, Any]) -> str:
    value = values.get("kbit_s")
    if not isinstance(value, int | float):
        return "–"
    return f"{value / 1000:,.1f} Mbit/s" if value >= 1000 else f"{value:,.0f} kbit/s"
