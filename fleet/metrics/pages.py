"""What the gateway's page shows of the collector: how the gateway stands, and what was measured. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Max, Min, Q

from fleet.metrics import charts, collect, newest
from fleet.metrics.compare import Asked
from fleet.metrics.sides import Side, parts, step_of
from fleet.metrics.stacked import Mark
from fleet.metrics.standing import Fact, Seen, Standing, standing
from fleet.models import Gateway, Probe, Reading, Watch
from fleet.words import Word

HOURS = (1, 6, 24, 168)
BAN_OLD = 900.0  # seconds: a ban lasts 5 min, and is looked at again after that
TONES = ("canary", "control", "other", "other")  # of a gateway's slots and releases; more are no chart
RUNNING = frozenset({"serving", "draining", "adopted"})
WORDS = {
    Fact.FINE: Word("Measured", "done", "circle-check"),
    Fact.NO_TRAFFIC: Word("No traffic", "waiting", "circle-dashed"),
    Fact.COLLECTOR_DOWN: Word("Not measured", "unknown", "circle-question-mark"),
    Fact.GATEWAY_DOWN: Word("Gateway down", "failed", "unplug"),
    Fact.SLOT_SILENT: Word("Slot silent", "failed", "circle-x"),
    Fact.PROBE_BANNED: Word("Probe banned", "waiting", "ban"),
}


def hours_of(asked: object) -> int:
    """How far a page looks back; the first of HOURS for anything else."""
    return next((hours for hours in HOURS if str(hours) == str(asked)), HOURS[0])


def ranges() -> list[tuple[int, str]]:
    """How far one may look back: hours, and what that is called."""
    return [(one, f"{one} h" if one < 48 else f"{one // 24} d") for one in HOURS]


def whole(asked: object) -> int:
    """A whole number that an address holds; 0 for what is none."""
    text = str(asked)
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def standing_of(gateway: Gateway, now: float) -> Standing:
    """How one gateway stands."""
    wish = collect.Settings.read()
    watch = Watch.objects.filter(pk=gateway.pk).first() or Watch(gateway=gateway, asked_at=0.0)
    hosts = banned_hosts([gateway.pk], now).get(gateway.pk, ())
    return standing(seen_of(gateway, watch, wish, hosts=hosts, why_not=collect.why_not(gateway, wish)), now)


def seen_of(
    gateway: Gateway, watch: Watch, wish: collect.Settings, *, hosts: Collection[str] = (), why_not: str = ""
) -> Seen:
    """What is known of one gateway. `hosts`: probe hosts that are banned there."""
    seen = newest.seen_of(gateway, watch, wish, why_not=why_not)
    return replace(seen, expected=running(gateway), banned_hosts=hosts)


def banned_hosts(gateways: Collection[int], now: float) -> dict[int, set[str]]:
    """Gateway → names of probe hosts that it has banned."""
    found: dict[int, set[str]] = defaultdict(set)
    rows = Probe.objects.filter(gateway__in=gateways, outcome="banned", at__gt=now - BAN_OLD).order_by()
    for pk, name in rows.values_list("gateway", "host__name"):
        found[pk].add(name)
    return found


def running(gateway: Gateway) -> list[int]:
    """Slots in which an ocserv runs, as the gateway last said."""
    slots: list[dict[str, Any]] = (gateway.facts or {}).get("slots", [])
    return [int(slot["slot"]) for slot in slots if slot.get("state") in RUNNING]


Marker = Callable[[int, float, float], Sequence[Mark]]
MARKERS: list[Marker] = []
"""Who knows what happened on a gateway between two moments (epoch seconds). The apps above add theirs in ready()."""


def marks(gateway: Gateway, shown: charts.Range) -> list[Mark]:
    """What happened on it meanwhile, in order of time."""
    found = [mark for marker in MARKERS for mark in marker(gateway.pk, shown.since, shown.until)]
    return sorted(found, key=lambda mark: mark.at)


def asked(gateway: Gateway, now: float, hours: int, *, alarms: Mapping[str, float]) -> Asked:
    """One gateway's slots as the lines of its charts, the newest release first. `alarms`: panel → threshold."""
    shown = charts.Range(now - 3600 * hours, now)
    step = step_of(now - shown.since, 1)
    found: dict[tuple[int, str], tuple[int, int]] = {}
    for span, begin, end in parts(step, since=int(shown.since), until=now, now=now):
        rows = Reading.objects.filter(gateway=gateway, span=span.seconds, at__gte=begin, at__lt=end).order_by()
        for slot, release, first, last in rows.values_list("slot", "release").annotate(a=Min("at"), b=Max("at")):
            was = found.get((slot, release), (first, last))
            found[slot, release] = (min(first, was[0]), max(last, was[1]))
    # By when their lines end, to the minute, then by when they began: the newest release is drawn first.
    order = sorted(found, key=lambda key: (-found[key][1] // 60, -found[key][0], key))
    sides = [
        Side(charts.name_of(key), tone, Q(slot=key[0], release=key[1]), [gateway.pk])
        for key, tone in zip(order, TONES, strict=False)
    ]
    return Asked(sides, shown.since, now, marks=marks(gateway, shown), alarms=alarms)


def part(gateway: Gateway, now: float, hours: int) -> dict[str, Any]:
    """The context of _gateway_readings.html; the charts' own numbers come when the page is there."""
    found = standing_of(gateway, now)
    return {"standing": found, "standing_word": WORDS[found.fact], "hours": hours, "ranges": ranges()}
