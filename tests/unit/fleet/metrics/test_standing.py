"""Four facts that look the same in a chart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.metrics.standing import Fact, Seen, Standing, standing

NOW = 1_000_000.0
FINE = Seen("fra-1", 5.0, asked_at=NOW - 3, answered_at=NOW - 3, used_at=NOW - 9, slots={1, 2}, expected={1, 2})


def said(seen: Seen) -> Standing:
    return standing(seen, NOW)


def test_a_gateway_that_answers_and_is_used_is_evidence() -> None:
    assert said(FINE) == Standing(Fact.FINE, "fra-1 answered 3 s ago.", evidence=True)


@pytest.mark.parametrize(
    ("change", "fact", "sentence"),
    [
        (
            {"used_at": NOW - 4000},
            Fact.NO_TRAFFIC,
            "Nobody is on fra-1 and nobody has tried to sign in for 1 h 6 min: its numbers are no evidence.",
        ),
        (
            {"asked_at": NOW - 60, "answered_at": NOW - 60},
            Fact.COLLECTOR_DOWN,
            "The collector has not asked fra-1 for 1 min: its worker does not run, or is overloaded."
            " This says nothing about the gateway.",
        ),
        (
            {"misses": 3, "answered_at": NOW - 65, "say": "fra-1: no route."},
            Fact.GATEWAY_DOWN,
            "fra-1 has not answered for 1 min 5 s, asked 3 times: fra-1: no route.",
        ),
        (
            {"slots": {1}},
            Fact.SLOT_SILENT,
            "fra-1 answers, but the ocserv in slot 2 does not: nothing is known of it.",
        ),
        (
            {"banned": {1, 2}},
            Fact.PROBE_BANNED,
            "ocserv in slots 1 and 2 of fra-1 has banned our own login probe: that it fails says nothing about users."
            " Unban it, or wait 5 min.",
        ),
    ],
)
def test_each_fact_has_its_own_sentence(change: dict[str, object], fact: Fact, sentence: str) -> None:
    seen = replace(FINE, **change)  # type: ignore[arg-type]  # each by its own name
    assert said(seen) == Standing(fact, sentence, evidence=False)


def test_what_hides_the_others_is_said_first() -> None:
    everything = replace(FINE, misses=9, say="no.", used_at=0.0, banned={1}, slots=set())
    assert said(everything).fact is Fact.GATEWAY_DOWN
    assert said(replace(everything, asked_at=0.0)).fact is Fact.COLLECTOR_DOWN
    assert said(replace(everything, misses=1)).fact is Fact.SLOT_SILENT


def test_one_miss_is_no_outage_and_a_seldom_look_no_dead_collector() -> None:
    assert said(replace(FINE, misses=1)).fact is Fact.FINE
    assert said(replace(FINE, misses=2, asked_at=NOW - 40)).fact is Fact.GATEWAY_DOWN


def test_who_is_not_asked_is_told_why() -> None:
    off = said(replace(FINE, why_not="It is off."))
    assert (off.fact, off.say, off.evidence) == (Fact.COLLECTOR_DOWN, "It is off.", False)
    assert said(Seen("fra-1", 5.0)).say.startswith("The collector has not asked fra-1 yet")
