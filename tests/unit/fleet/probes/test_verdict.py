"""What a probe means: banned is not down, and how often one may look without being banned."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.probes import pace
from fleet.probes.verdict import GOOD, NO_EVIDENCE, Inside, Outcome, meaning, slot_of

CONFIG: dict[str, Any] = {"slots": {"1": {"pool4": "10.101.4.0/23"}, "2": {"pool4": "10.101.6.0/23"}}}
RUNNING = {1: "1.1.6-3", 2: "1.3.0-2"}


def said(found: dict[str, Any], inside: Inside = Inside()) -> tuple[Outcome, str]:  # noqa: B008 - frozen
    told = meaning(found, inside, host="probe-berlin", gateway="fra-gw-01")
    return told.outcome, told.say


def test_closed_before_tls_is_a_ban_where_the_gateway_itself_is_well() -> None:
    found = {"outcome": "closed", "stage": "tls", "why": "The TLS connection was non-properly terminated."}
    outcome, say = said(found, Inside(answers=True, banned=True))
    assert (outcome, say) == (
        Outcome.BANNED,
        "fra-gw-01 has banned probe-berlin (its ban list says so): this says nothing about users."
        " It is left alone for 5 min.",
    )
    assert "its ocserv answers on the machine itself" in said(found, Inside(answers=True))[1]
    outcome, say = said(found)
    assert outcome == Outcome.CLOSED
    assert say == "probe-berlin failed at the TLS handshake: The TLS connection was non-properly terminated."


def test_down_stays_down_whatever_the_gateway_says() -> None:
    assert said({"outcome": "down", "stage": "connect"}, Inside(answers=True))[0] == Outcome.DOWN


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_a_sentence(outcome: Outcome) -> None:
    told, say = said({"outcome": outcome.value, "stage": "password", "why": "x", "sent": 10, "lost": 1})
    assert say.endswith(".")
    assert told in (outcome, Outcome.CLOSED)
    assert not GOOD & NO_EVIDENCE


def test_what_is_no_outcome_is_the_hosts_own_fault() -> None:
    assert said({"outcome": "rm -rf", "why": ""})[0] == Outcome.HOST


def test_the_tunnels_address_names_the_slot_that_answered() -> None:
    assert slot_of("10.101.7.9", CONFIG, RUNNING) == (2, "1.3.0-2")
    assert slot_of("192.0.2.1", CONFIG, RUNNING) == (0, "")
    assert slot_of("10.9.9.9", {}, {1: "1.1.6-3"}) == (1, "1.1.6-3")
    assert slot_of("10.9.9.9", {}, RUNNING) == (0, "")
    assert slot_of("", CONFIG, RUNNING) == (0, "")


@pytest.mark.parametrize("every", [1, 15, 60, 600])
@pytest.mark.parametrize("outcome", [one.value for one in Outcome])
@pytest.mark.parametrize("connections", [0, 1, 2, 5])
def test_no_pace_earns_half_a_ban(every: float, outcome: str, connections: int) -> None:
    """80 points within 1,200 s are a ban; 30 within 300 s on an old ocserv that is told nothing."""
    wait = pace.wait(every, outcome, connections=connections)
    points = connections + (10 if outcome == "refused" else 0)
    assert wait >= every
    assert points * 1200 / wait <= 40
    assert points * (300 // wait + 1) <= 30
    assert outcome != "banned" or wait > 300
