"""Statements that are built once write and read what Django's own do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from approvals import sql
from approvals.models import AuditEvent
from fleet.models import Gateway, Pool

AT = datetime(2026, 11, 23, 3, 4, 5, 678901, tzinfo=UTC)
ONE = sql.Read(lambda: Gateway.objects.all(), ("name", "facts", "facts_at", "pool__name"))


@pytest.fixture
def gateway(db: None) -> Gateway:
    pool = Pool.objects.create(name="eu-west")
    row = Gateway(name="gw-1", pool=pool, address="192.0.2.1", facts={"a": [1, "ü"]}, facts_at=AT)
    sql.insert(row)
    return row


def test_a_row_is_written_whole(gateway: Gateway) -> None:
    found = Gateway.objects.get(pk=gateway.pk)
    for field in Gateway._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(gateway, field.attname), field.name


def test_what_it_reads_is_what_django_reads(gateway: Gateway) -> None:
    assert list(ONE.get(gateway.pk)) == ["gw-1", {"a": [1, "ü"]}, AT, "eu-west"]


def test_no_row_is_an_error(gateway: Gateway) -> None:
    with pytest.raises(LookupError):
        ONE.get(gateway.pk + 1)


def test_it_writes_only_where_the_row_is_as_it_was_seen(gateway: Gateway) -> None:
    seen = {"id": gateway.pk, "state": gateway.state, "fence": 0}
    values = {"facts": {"b": None}, "facts_at": None}
    assert sql.update(Gateway, seen, values, one_more=("fence",)) == 1
    assert sql.update(Gateway, seen, values, one_more=("fence",)) == 0
    found = Gateway.objects.get(pk=gateway.pk)
    assert (found.facts, found.facts_at, found.fence) == ({"b": None}, None, 1)


def test_a_foreign_key_takes_a_row(gateway: Gateway) -> None:
    other = Pool.objects.create(name="us-east")
    assert sql.update(Gateway, {"id": gateway.pk}, {"pool": other}) == 1
    assert Gateway.objects.get(pk=gateway.pk).pool_id == other.pk


def test_what_is_no_column_is_refused(gateway: Gateway) -> None:
    with pytest.raises(TypeError):
        sql.update(Gateway, {"id": gateway.pk}, {"upgrades": 1})


def test_a_key_of_our_own_stays(db: None) -> None:
    sql.insert(AuditEvent(seq=7, at=AT, verb="v", subject="s", actor="a", body="{}", prev_hash="0" * 64, hash="1" * 64))
    assert AuditEvent.objects.get().pk == 7
