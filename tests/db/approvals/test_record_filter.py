"""What a filter selects, page by page; and what is noted of who looked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from approvals import audit, record_filter, record_index, record_reads
from approvals.models import Actor, AuditEvent, EventAbout
from approvals.record_filter import EventFilter
from approvals.record_sample import draw
from tests.db.approvals.cast import NOW

pytestmark = pytest.mark.django_db
AMARA = Actor(kind="person", name="amara", user_id=1)


def tell(verb: str, subject: str, *, by: Actor = AMARA, minutes: int = 0, **details: Any) -> None:
    with transaction.atomic():
        audit.append(verb, subject=subject, actor=by, at=NOW + timedelta(minutes=minutes), details=details)


@pytest.fixture(autouse=True)
def events() -> None:
    """12 events: rollouts 1 and 2 by Amara, their steps by the machine, on two gateways."""
    for rollout in (1, 2):
        tell("rollout.drafted", f"rollout:{rollout}", minutes=rollout, rollout=rollout, release=f"1.{rollout}")
        for number in range(4):
            about = {"rollout": rollout, "gateway": f"fra-gw-0{number % 2 + 1}"}
            tell("step.done", f"upgrade:{number}", by=Actor.machine("handover"), minutes=10 * rollout + number, **about)
    tell("approval.asked", "signer:3", minutes=30, request=5)
    tell("rollout.moved", "rollout:2", minutes=40, rollout=2)
    record_index.catch_up()


def found(**said: str) -> list[int]:
    return [event.seq for event in record_filter.events(EventFilter.of(said))]


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ({"actor": "amara"}, [12, 11, 6, 1]),
        ({"actor": "machine:handover", "rollout": "1"}, [5, 4, 3, 2]),
        ({"actor": "amar"}, []),
        ({"rollout": "2", "gateway": "fra-gw-02"}, [10, 8]),
        ({"rollout": "02"}, [12, 10, 9, 8, 7, 6]),
        ({"release": "1.1"}, [1]),
        ({"verb": "rollout."}, [12, 6, 1]),
        ({"verb": "approval.asked"}, [11]),
        ({"verb": "weather.rained"}, []),
        ({"subject": "upgrade:3"}, [10, 5]),
        ({"since": "2026-11-23T12:21", "until": "2026-11-23T12:30"}, [10, 9, 8]),
        ({"since": "2026-11-24"}, []),
        ({"until": "2026-11-22"}, []),
        ({"gateway": "no-such"}, []),
        ({"since": "soon", "rollout": "x"}, []),
    ],
)
def test_a_filter_selects(said: dict[str, str], numbers: list[int]) -> None:
    assert found(**said) == numbers


def test_pages_go_on_and_back() -> None:
    asked = EventFilter.of({"actor": "machine:handover"})
    first = record_filter.page(asked, most=3)
    assert ([event.seq for event in first.events], first.newer, first.older) == ([10, 9, 8], 0, 8)
    second = record_filter.page(asked, most=3, before=first.older)
    assert ([event.seq for event in second.events], second.newer, second.older) == ([7, 5, 4], 7, 4)
    third = record_filter.page(asked, most=3, before=second.older)
    assert ([event.seq for event in third.events], third.newer, third.older) == ([3, 2], 3, 0)
    back = record_filter.page(asked, most=3, after=third.newer)
    assert ([event.seq for event in back.events], back.newer, back.older) == ([7, 5, 4], 7, 4)
    assert record_filter.page(asked, most=3, after=back.newer).newer == 0


def test_a_page_costs_the_same_however_much_there_is() -> None:
    asked = EventFilter.of({"actor": "amara", "verb": "rollout.moved", "rollout": "2", "since": "2026-11-23"})
    with CaptureQueriesContext(
        connection,
    ) as asked_for:
        record_filter.page(asked, most=3)
    assert len(asked_for) <= 8


def test_the_index_is_made_once_and_goes_on() -> None:
    rows = EventAbout.objects.count()
    assert record_index.catch_up() == 0
    assert EventAbout.objects.count() == rows
    for number in range(3):
        tell("gateway.changed", f"gateway:{number}", minutes=50)
    assert record_index.catch_up(most=1) == 2
    assert record_index.catch_up() == 0
    assert EventAbout.objects.filter(about="gateway:2").get().event == 15


def test_a_sample_is_the_same_again_and_says_of_what() -> None:
    drawn = draw(EventFilter(), seed="audit 2026", size=2, upto=12)
    assert (drawn.population, len(drawn.changes)) == (3, 2)
    tell("rollout.drafted", "rollout:3", minutes=60, rollout=3)
    assert draw(EventFilter(), seed="audit 2026", size=2, upto=12) == drawn
    assert draw(EventFilter(), seed="audit 2026", size=9, upto=13).population == 4
    on_gateway = draw(EventFilter(gateway="fra-gw-01"), seed="x", size=9, upto=12)
    assert [change.subject for change in on_gateway.changes] == ["rollout:1", "rollout:2"]


def test_a_reading_is_noted_once() -> None:
    for minutes, asked in ((0, {}), (1, {}), (2, {"actor": "amara"}), (10, {}), (16, {})):
        record_reads.note_look(asked, actor=AMARA, now=NOW + timedelta(hours=2, minutes=minutes))
    assert AuditEvent.objects.filter(verb="record.read").count() == 3
