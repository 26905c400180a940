"""A complaint finds its gateway, slot and release; and is counted there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.models import AuditEvent
from fleet.errors import RetryLater
from fleet.metrics.store import insert
from fleet.models import Gateway, Reading, Span, Ticket, TicketSource
from fleet.ports import Session
from fleet.tickets import join, rate, services
from fleet.tickets.join import AGAIN, TRIES
from fleet.tickets.proofs import Proven
from tests.db.fleet.metrics.test_rollup import COLUMNS
from tests.db.fleet.metrics.test_store import gateways

pytestmark = pytest.mark.django_db


class Here:
    """A gateway with these users on it; None: it does not answer."""

    def __init__(self, sessions: Sequence[Session] | None) -> None:
        self._sessions = sessions

    def sessions(self) -> Sequence[Session]:
        if self._sessions is None:
            raise RetryLater("No answer.")
        return self._sessions

    def close(self) -> None:
        """Nothing is kept open."""


def opener(of: dict[int, Sequence[Session] | None]) -> Callable[[Gateway], Any]:
    return lambda gateway: Here(of.get(gateway.pk, []))


def on(slot: int, user: str) -> Session:
    return Session(slot=slot, id="x", user=user, remote="198.51.100.7", since=0.0)


def served(gateway: Gateway, releases: dict[int, str], *, minutes: int = 5, arrivals: int = 10) -> None:
    """Readings of the last minutes: ten users on each slot, and so many who came in each."""
    now = int(timezone.now().timestamp()) // 60 * 60
    rows = []
    for at in range(now - 60 * minutes, now, 60):
        for slot, release in releases.items():
            place = {"gateway_id": gateway.pk, "span": 60, "at": at, "slot": slot, "release": release}
            rows.append({**dict.fromkeys(COLUMNS), **place, "seconds": 60, "sessions": 10.0, "arrivals": arrivals})
    insert(Reading, rows, skip=True)
    Span.objects.update_or_create(seconds=60, defaults={"keep_hours": 72, "rolled_until": now})


@pytest.fixture
def source() -> TicketSource:
    return TicketSource.objects.create(
        name="noc",
        kind="json",
        token_sha256="x",
        mapping={"id": "id", "user": "user", "gateway": "gateway"},
        added_by="operator",
        added_at=timezone.now(),
    )


def told(source: TicketSource, **fields: str) -> Ticket:
    services.take(Proven(source), {"id": "1", **fields}, now=timezone.now())
    return Ticket.objects.get()


def test_a_complaint_is_joined_by_the_users_session(source: TicketSource) -> None:
    one, other = gateways(2)
    served(other, {1: "1.4.2", 2: "1.5.0"})
    ticket = told(source, user="alice")
    assert join.due(timezone.now()) == [ticket.pk]
    assert join.join(ticket.pk, opener=opener({other.pk: [on(2, "alice")]}), now=timezone.now())
    ticket.refresh_from_db()
    assert (ticket.gateway, ticket.slot, ticket.release, ticket.found) == (other, 2, "1.5.0", "session")
    assert join.due(timezone.now()) == []
    assert AuditEvent.objects.get(verb="ticket.placed").subject == f"ticket:{ticket.pk}"


def test_the_record_has_no_user_and_no_text(source: TicketSource) -> None:
    gateways(1)
    ticket = told(source, user="alice", text="It is slow.")
    join.join(ticket.pk, opener=opener({}), now=timezone.now())
    assert not [event for event in AuditEvent.objects.all() if "alice" in event.body or "slow" in event.body]


def test_one_that_names_its_gateway_is_there_and_its_release_the_one_that_served(source: TicketSource) -> None:
    one, _ = gateways(2)
    served(one, {2: "1.5.0"})
    ticket = told(source, gateway=one.name)
    assert join.join(ticket.pk, opener=opener({one.pk: None}), now=timezone.now())
    ticket.refresh_from_db()
    assert (ticket.gateway, ticket.slot, ticket.release, ticket.found) == (one, 2, "1.5.0", "named")


def test_a_gateway_that_does_not_answer_is_asked_again_and_then_given_up(source: TicketSource) -> None:
    (one,) = gateways(1)
    ticket = told(source, user="alice")
    now = timezone.now()
    for turn in range(TRIES - 1):
        assert not join.join(ticket.pk, opener=opener({one.pk: None}), now=now)
        assert join.due(now + AGAIN) == [ticket.pk], turn
    assert join.join(ticket.pk, opener=opener({one.pk: None}), now=now)
    ticket.refresh_from_db()
    assert (ticket.found, ticket.gateway) == ("nowhere", None)
    assert not join.join(ticket.pk, opener=opener({}), now=now), "once"


def test_an_old_complaint_asks_nobody(source: TicketSource) -> None:
    (one,) = gateways(1)
    ticket = told(source, user="alice")
    Ticket.objects.update(reported_at=timezone.now() - timedelta(days=1))
    assert join.join(ticket.pk, opener=opener({one.pk: [on(1, "alice")]}), now=timezone.now())
    ticket.refresh_from_db()
    assert ticket.found == "nowhere"


def test_complaints_are_counted_of_sessions_by_release(source: TicketSource) -> None:
    (one,) = gateways(1)
    served(one, {1: "1.4.2", 2: "1.5.0"})
    ticket = told(source, user="alice")
    join.join(ticket.pk, opener=opener({one.pk: [on(2, "alice")]}), now=timezone.now())
    now = timezone.now().timestamp()
    found = rate.by_release([one.pk], since=now - 3600, until=now)
    assert {release: (each.complaints, each.sessions) for release, each in found.items()} == {
        "1.4.2": (0, 60.0),
        "1.5.0": (1, 60.0),
    }
    assert found["1.5.0"].say == "16.7 in 1,000 sessions"
    assert rate.Rate(1, 0).say == "no session was counted"
