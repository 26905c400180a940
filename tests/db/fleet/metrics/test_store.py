"""Answers become rows: together, once, and with the right counts after whatever went wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError
from pytest_django import DjangoAssertNumQueries

from fleet.errors import RetryLater
from fleet.metrics import collect, store
from fleet.metrics.store import Answer, Store
from fleet.models import Gateway, Reading, Watch
from tests import factories
from tests.unit.fleet.metrics.test_counters import SLOT

pytestmark = pytest.mark.django_db
BEGIN = 1_795_000_000.0


def gateways(count: int) -> list[Gateway]:
    return Gateway.objects.bulk_create(
        Gateway(name=f"gw-{number}", pool=factories.pool(), adapter="memory", address="x") for number in range(count)
    )


def answer(gateway: Gateway, seconds: float, **changes: Any) -> Answer:
    at = BEGIN + seconds
    two = (replace(SLOT, **changes), replace(SLOT, slot=2, **changes))
    return Answer(gateway.pk, at, answered_at=at + 0.1, slots=two)


def test_answers_of_many_gateways_are_written_in_a_few_statements(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    fleet, keeps = gateways(50), Store()
    keeps.write([answer(gateway, 0) for gateway in fleet])
    # BEGIN, which of them are still there, the readings, where each was left, COMMIT.
    with django_assert_num_queries(5):
        keeps.write([answer(gateway, 5, auth_failures=9) for gateway in fleet])
    assert Reading.objects.count() == 200
    assert set(Reading.objects.filter(at=int(BEGIN) + 5).values_list("failures", "seconds")) == {(2, 5.0)}


def test_another_process_goes_on_where_the_last_one_was() -> None:
    (gateway,) = gateways(1)
    Store().write([answer(gateway, 0)])
    Store().write([answer(gateway, 60, auth_failures=10)])
    row = Reading.objects.filter(slot=1).latest("at")
    assert (row.failures, row.seconds, row.release) == (3, 60.0, "1.3.0-2")


def test_a_doubled_message_counts_once() -> None:
    (gateway,) = gateways(1)
    keeps = Store()
    for _ in range(2):
        keeps.write([answer(gateway, 0), answer(gateway, 5, auth_failures=8), answer(gateway, 5, auth_failures=8)])
    assert list(Reading.objects.filter(slot=1).order_by("at").values_list("failures", flat=True)) == [None, 1]


def test_what_could_not_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    (gateway,) = gateways(1)
    made, asked = collect.Collector(), iter([BEGIN, BEGIN + 0.1, BEGIN + 5, BEGIN + 5.1])

    def broken(*_: object, **__: object) -> None:
        raise DatabaseError("locked")

    for failures in (7, 9):
        slots = (replace(SLOT, auth_failures=failures),)
        monkeypatch.setattr(collect, "asked_of", lambda _, __, slots=slots: slots)
        made.look(gateway, opener=lambda _: None, clock=lambda: next(asked))  # type: ignore[arg-type,return-value]  # not asked
        with monkeypatch.context() as patch:
            patch.setattr(store, "insert", broken)
            with pytest.raises(DatabaseError):
                made.flush()
    assert made.flush() == [gateway.pk, gateway.pk]
    assert list(Reading.objects.order_by("at").values_list("failures", flat=True)) == [None, 2]


def test_silence_is_noted_with_its_reason_and_is_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    (gateway,) = gateways(1)

    def silent(*_: object) -> None:
        raise RetryLater("gw-0 does not answer.", code="unreachable")

    monkeypatch.setattr(collect, "asked_of", silent)
    made, times = collect.Collector(), iter(range(int(BEGIN), int(BEGIN) + 100, 5))
    for _ in range(2):
        made.look(gateway, opener=lambda _: None, clock=lambda: float(next(times)))  # type: ignore[arg-type,return-value]  # as above
        made.flush()
    watch = Watch.objects.get()
    assert (watch.misses, watch.say, watch.answered_at) == (2, "gw-0 does not answer.", 0.0)
    assert not Reading.objects.exists()


def test_a_gateway_that_was_removed_does_not_hold_up_the_others() -> None:
    fleet, keeps = gateways(2), Store()
    keeps.write([answer(gateway, 0) for gateway in fleet])
    fleet[0].delete()
    keeps.write([answer(gateway, 5) for gateway in [Gateway(pk=1 + fleet[1].pk), fleet[1]]])
    assert set(Reading.objects.values_list("gateway", flat=True)) == {fleet[1].pk}


def test_who_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = gateways(5)
    Gateway.objects.filter(pk=fleet[0].pk).update(state=Gateway.State.LEFT)
    Watch.objects.create(gateway=fleet[1], asked_at=BEGIN - 5, misses=9)
    wish = collect.Settings(every=5.0, most=2)
    assert collect.due(BEGIN, wish=wish) == [fleet[2].pk, fleet[3].pk]
    assert collect.due(BEGIN, wish=wish, first=[fleet[4].pk]) == [fleet[4].pk, fleet[2].pk]
    everybody = [gateway.pk for gateway in fleet]
    assert len(collect.due(BEGIN, wish=wish, first=everybody)) <= 2, "an upgrade of thousands is no measure for it"
    assert collect.due(BEGIN + 60, wish=wish) == [fleet[1].pk, fleet[2].pk], "who is silent is asked, but seldom"
    assert collect.due(BEGIN, wish=replace(wish, every=0.0)) == []
    assert "switched off" in collect.why_not(fleet[1], replace(wish, every=0.0))
    assert "raise HANDOVER_COLLECT_MOST" in collect.why_not(fleet[4], wish)
    assert collect.why_not(fleet[2], wish) == ""
