"""How a gateway stands, as far as its numbers tell. Pure: no traffic, a collector that is down, a gateway that is down
and a probe that is banned look the same in a chart, and are four different facts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from fleet.phrases import duration, listed

MISSES_UNTIL_DOWN = 2
LATE_INTERVALS = 4  # that nobody has asked for: the collector's fault, not the gateway's
QUIET_SECONDS = 300.0


class Fact(StrEnum):
    FINE = "fine"
    NO_TRAFFIC = "no traffic"
    COLLECTOR_DOWN = "collector down"
    GATEWAY_DOWN = "gateway down"
    SLOT_SILENT = "slot silent"
    PROBE_BANNED = "probe banned"


@dataclass(frozen=True)
class Seen:
    """What is known. Times are epoch seconds, 0 for never; `why_not` says why nobody asks, "" where somebody should."""

    name: str
    every: float  # the collector's interval in seconds
    asked_at: float = 0.0
    answered_at: float = 0.0
    used_at: float = 0.0
    misses: int = 0
    say: str = ""
    why_not: str = ""
    slots: Collection[int] = ()  # that answered
    expected: Collection[int] = ()  # that run, as its facts say
    banned: Collection[int] = ()  # slots that have banned our own probes
    banned_hosts: Collection[str] = ()  # names of probe hosts that are banned there


@dataclass(frozen=True)
class Standing:
    """`evidence`: whether its numbers may be used in a verdict."""

    fact: Fact
    say: str
    evidence: bool


def standing(seen: Seen, now: float) -> Standing:
    """The first of these that holds: what hides the others comes first."""
    if found := _nobody_asks(seen, now) or _no_answer(seen, now):
        return found
    if silent := sorted(set(seen.expected) - set(seen.slots)):
        say = f"{seen.name} answers, but the ocserv in {_slots(silent)} does not: nothing is known of it."
        return Standing(Fact.SLOT_SILENT, say, evidence=False)
    if seen.banned:
        say = f"ocserv in {_slots(sorted(seen.banned))} of {seen.name} has banned our own login probe: that it fails"
        return Standing(Fact.PROBE_BANNED, f"{say} says nothing about users. Unban it, or wait 5 min.", evidence=False)
    if now - seen.used_at > QUIET_SECONDS:
        since = f"for {duration(now - seen.used_at)}" if seen.used_at else "since it is watched"
        say = f"Nobody is on {seen.name} and nobody has tried to sign in {since}: its numbers are no evidence."
        return Standing(Fact.NO_TRAFFIC, say, evidence=False)
    if seen.banned_hosts:
        names = listed(sorted(seen.banned_hosts))
        say = (
            f"{seen.name} has banned the probe host {names}: what it finds there says nothing about users. Unban it, or"
        )
        return Standing(Fact.PROBE_BANNED, f"{say} wait 5 min. The gateway's own numbers are good.", evidence=True)
    return Standing(Fact.FINE, f"{seen.name} answered {duration(now - seen.answered_at)} ago.", evidence=True)


def _nobody_asks(seen: Seen, now: float) -> Standing | None:
    if seen.why_not:
        return Standing(Fact.COLLECTOR_DOWN, seen.why_not, evidence=False)
    if now - seen.asked_at <= LATE_INTERVALS * seen.every * (6 if seen.misses else 1):
        return None
    since = f"for {duration(now - seen.asked_at)}" if seen.asked_at else "yet"
    say = f"The collector has not asked {seen.name} {since}: its worker does not run, or is overloaded."
    return Standing(Fact.COLLECTOR_DOWN, f"{say} This says nothing about the gateway.", evidence=False)


def _no_answer(seen: Seen, now: float) -> Standing | None:
    if seen.misses < MISSES_UNTIL_DOWN:
        return None
    since = f"for {duration(now - seen.answered_at)}" if seen.answered_at else "since it is watched"
    say = f"{seen.name} has not answered {since}, asked {seen.misses} times: {seen.say}"
    return Standing(Fact.GATEWAY_DOWN, say, evidence=False)


def _slots(numbers: Collection[int]) -> str:
    words = " and ".join(map(str, numbers))
    return f"slot {words}" if len(numbers) == 1 else f"slots {words}"
