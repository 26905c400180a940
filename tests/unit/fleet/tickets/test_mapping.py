"""What systems send becomes complaints, or a sentence why not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.errors import Refused
from fleet.tickets.mapping import AT_ONCE, USUAL, Complaint, complaints, mapping_of, moment

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ALERT = {
    "status": "firing",
    "labels": {"alertname": "VPNSlow", "instance": "gw7:443", "user": "alice"},
    "annotations": {"summary": "Downloads crawl."},
    "startsAt": "2026-11-23T13:50:00.123Z",
    "fingerprint": "c0ffee",
}


def test_a_mapping_says_where_each_field_stands() -> None:
    mapping = mapping_of("id = number\nuser = caller.login\n\ntext = notes.0.words\nat = opened")
    notes: list[dict[str, str]] = [{"words": "It is slow."}]
    body = {"number": 4711, "caller": {"login": "alice"}, "notes": notes, "opened": "2026-11-23T13:20:00+01:00"}
    (one,) = complaints("json", mapping, body, NOW)
    at = datetime(2026, 11, 23, 12, 20, tzinfo=UTC)
    assert one == Complaint("4711", "alice", "", at, "It is slow.", "", False)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("who = caller", "no field"),
        ("user", "no field"),
        ("user = ", "no field"),
        ("id = a\nid = b", "twice"),
        ("user = caller.login", "number of a complaint"),
    ],
)
def test_a_mapping_that_says_nothing_is_refused(lines: str, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        mapping_of(lines)
    assert said in refusal.value.say
    assert mapping_of("") == USUAL


def test_alertmanagers_alerts_are_complaints_and_end() -> None:
    ended = ALERT | {"status": "resolved"}
    one, other = complaints("alertmanager", {}, {"version": "4", "alerts": [ALERT, ended]}, NOW)
    assert (one.id, one.user, one.gateway, one.text) == (other.id, "alice", "gw7:443", "Downloads crawl.")
    assert (one.closed, other.closed) == (False, True)
    assert one.at == datetime(2026, 11, 23, 13, 50, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        None,
        {"tickets": "all"},
        [{"id": "x"}, 3],
        {"id": "", "user": "a"},
        {"id": True},
        {"id": "1", "at": "soon"},
        {"id": "1", "at": "2027-01-01T00:00:00Z"},
        {"id": "1", "at": "9" * 40},
        {"id": "x" * 121},
        [{"id": str(number)} for number in range(AT_ONCE + 1)],
    ],
)
def test_what_is_no_complaint_is_refused_with_a_sentence(body: Any) -> None:
    if body == []:
        assert complaints("json", USUAL, body, NOW) == []
        return
    with pytest.raises(Refused):
        complaints("json", USUAL, body, NOW)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda one: (
            st.lists(one) | st.dictionaries(st.sampled_from(["id", "user", "at", "tickets", "alerts", "labels"]), one)
        ),
    )
)
def test_whatever_comes_is_taken_or_refused(body: Any) -> None:
    for kind in ("json", "alertmanager"):
        try:
            found = complaints(kind, USUAL, body, NOW)
        except Refused:
            continue
        assert all(one.id and one.at <= NOW and json.dumps(one.text) for one in found)


def test_times_are_iso_or_epoch_and_a_clock_may_be_a_little_ahead() -> None:
    assert moment("", NOW) == NOW
    for said in ("2026-11-23T13:00:00Z", "2026-11-23T13:00:00", "1795438800", "1795438800000"):
        assert moment(said, NOW) == NOW - timedelta(hours=1)
    assert moment("2026-11-23T14:05:00Z", NOW) == NOW
