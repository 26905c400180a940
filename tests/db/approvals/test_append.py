from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import audit
from approvals.chain import GENESIS, leaf
from approvals.models import Actor, AuditEvent

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LI = Actor(kind="person", name="li", user_id=7, ip="192.0.2.7")


def note(verb: str = "rollout.moved", **more: Any) -> AuditEvent:
    with transaction.atomic():
        return audit.append(verb, subject="rollout:12", actor=LI, at=NOW, **more)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(audit.NotInTransaction, match="rollout.moved of rollout:12"):
        audit.append("rollout.moved", subject="rollout:12", actor=LI, at=NOW)
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_event_goes_when_its_transaction_goes_and_its_number_comes_again() -> None:
    note()
    with transaction.atomic():
        audit.append("rollout.moved", subject="rollout:12", actor=LI, at=NOW)
        transaction.set_rollback(True)
    assert note().seq == 2


@pytest.mark.django_db
def test_events_are_chained_from_one() -> None:
    first, second = note(), note(reason="because", details={"to": "HELD"})
    assert (first.seq, second.seq) == (1, 2)
    assert (first.prev_hash, second.prev_hash) == (GENESIS, first.hash)
    assert second.hash == leaf(second.body)
    assert first.hash in second.body


@pytest.mark.django_db
def test_body_is_canonical_json() -> None:
    body = note(reason="grün", details={"b": [1, 2.5], "a": None}).body
    assert body == (
        '{"actor":{"ip":"192.0.2.7","kind":"person","name":"li","request_id":"","user_id":7},'
        '"at":"2026-11-23T12:00:00.000000Z","details":{"a":null,"b":[1,2.5]},"prev":"' + GENESIS + '",'
        '"reason":"grün","seq":1,"subject":"rollout:12","verb":"rollout.moved"}'
    )


@pytest.mark.django_db
def test_times_become_utc_and_decimals_text() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=8)))
    assert '"details":{"at":"2026-11-23T12:00:00.000000Z","share":"0.25"}' in (
        note(details={"at": east, "share": Decimal("0.25")}).body
    )


@pytest.mark.django_db
@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", datetime(2026, 1, 1), {3: 4}, "\ud800"])  # noqa: DTZ001
def test_what_has_no_single_spelling_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        note(details={"x": value})
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_a_nul_that_postgresql_could_not_store_is_replaced() -> None:
    event = note(reason="a\x00b")
    assert event.reason == "a\ufffdb"
    assert audit.verify() is None


@pytest.mark.django_db
def test_a_cycle_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(ValueError, match="deeper"):
        note(details=loop)


@pytest.mark.django_db
def test_too_long_a_verb_is_refused_on_every_database() -> None:
    with pytest.raises(ValueError, match="verb of an event is longer than 60"):
        note("x" * 61)


@pytest.mark.django_db
def test_the_machine_is_told_from_a_user_of_its_name() -> None:
    with transaction.atomic():
        event = audit.append("x", subject="y:1", actor=Actor.machine("engine"), at=NOW)
    assert event.actor == "machine:engine"


@pytest.mark.django_db
def test_append_takes_two_queries(django_assert_num_queries: Any) -> None:
    with transaction.atomic(), django_assert_num_queries(2):
        audit.append("x", subject="y:1", actor=LI, at=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE approvals_auditevent SET reason = 'other'",
        "DELETE FROM approvals_auditevent",
        pytest.param("INSERT OR REPLACE INTO approvals_auditevent SELECT * FROM approvals_auditevent", id="replace"),
        "TRUNCATE approvals_auditevent",
    ],
)
def test_the_database_refuses_to_change_the_record(sql: str) -> None:
    note()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert AuditEvent.objects.count() == 1
