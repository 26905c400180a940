"""Minutes and hours are made of seconds, once and completely; what a page reads does not grow with what is stored."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from fleet.metrics import rollup
from fleet.metrics.series import newest, series
from fleet.metrics.store import insert
from fleet.models import Reading, Span
from tests.db.fleet.metrics.test_store import gateways

pytestmark = pytest.mark.django_db
HOUR = 1_795_003_200
COLUMNS = [field.attname for field in Reading._meta.concrete_fields if field.attname != "id"]


def fill(gateway: int, *, begin: int, end: int, every: int = 5, span: int = 5) -> None:
    """A failure every second look, and RTT that grows; two slots."""
    rows = []
    for turn, at in enumerate(range(begin, end, every)):
        felt = {"failures": turn % 2, "rtt_ms": float(turn), "rtt_p95_ms": float(turn), "seconds": 5.0, "sessions": 10}
        for slot in (1, 2):
            place = {"gateway_id": gateway, "span": span, "at": at, "slot": slot, "release": f"r{slot}"}
            rows.append({**dict.fromkeys(COLUMNS), **place, **felt})
    insert(Reading, rows, skip=True)


def test_a_minute_is_the_sum_of_its_looks_and_made_once() -> None:
    (gateway,) = gateways(1)
    fill(gateway.pk, begin=HOUR, end=HOUR + 130)
    rollup.roll_up(HOUR + 75)
    assert rollup.roll_up(HOUR + 80) == 0
    row = Reading.objects.get(span=60, slot=1)
    assert (row.at, row.seconds, row.failures, row.rtt_ms, row.rtt_p95_ms) == (HOUR, 60.0, 6, 5.5, 11.0)
    assert row.arrivals is None, "what was never known is not nothing"
    rollup.roll_up(HOUR + 131)
    assert Reading.objects.filter(span=60, slot=1).count() == 2


def test_roll_ups_that_were_missed_are_made_later_and_twice_is_once() -> None:
    (gateway,) = gateways(1)
    fill(gateway.pk, begin=HOUR, end=HOUR + 7200)
    rollup.roll_up(HOUR + 70)
    rollup.roll_up(HOUR + 7215)
    told = list(Reading.objects.filter(slot=1, span=60).values_list("at", "failures"))
    assert (len(told), sum(failures or 0 for _, failures in told)) == (120, 720)
    Span.objects.update(rolled_until=HOUR + 3600)
    rollup.roll_up(HOUR + 7215)
    assert list(Reading.objects.filter(slot=1, span=60).values_list("at", "failures")) == told
    assert list(Reading.objects.filter(slot=1, span=3600).values_list("failures", flat=True)) == [360, 360]


def test_what_was_kept_for_long_enough_goes() -> None:
    (gateway,) = gateways(1)
    fill(gateway.pk, begin=HOUR, end=HOUR + 60)
    fill(gateway.pk, begin=HOUR, end=HOUR + 60, every=60, span=60)
    keep = 3600 * Span.DEFAULTS[5]
    assert rollup.purge(HOUR + keep + 30, [gateway.pk]) == 12
    assert Reading.objects.filter(span=60).count() == 2
    Span.objects.create(seconds=60, keep_hours=1)
    assert rollup.purge(HOUR + 3700, [gateway.pk]) == 2, "how long is data"


def test_a_page_gets_its_points_from_the_span_that_has_them() -> None:
    (gateway,) = gateways(1)
    fill(gateway.pk, begin=HOUR, end=HOUR + 7200)
    now = HOUR + 7200
    rollup.roll_up(now + 15)
    for length in (600, 3600, 7200):
        found = series(gateway.pk, since=now - length, until=now)
        assert found.keys() == {(1, "r1"), (2, "r2")}
        line = found[1, "r1"]
        assert len(line) <= 601
        assert sum(point.values["failures"] for point in line) == length // 10
        assert {round((point.rate("failures") or 0) * point.seconds / 60) for point in line} == {
            point.values["failures"] for point in line
        }
    assert newest(gateway.pk) == now - 5


def test_a_long_range_ends_with_what_was_measured_last() -> None:
    (gateway,) = gateways(1)
    fill(gateway.pk, begin=HOUR, end=HOUR + 7200)
    rollup.roll_up(HOUR + 3700)
    line = series(gateway.pk, since=HOUR - 30 * 86400, until=HOUR + 7200)[1, "r1"]
    assert sum(point.values["failures"] for point in line) == 720


def test_what_a_page_reads_takes_three_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    (gateway,) = gateways(1)
    fill(gateway.pk, begin=HOUR, end=HOUR + 600)
    rollup.roll_up(HOUR + 620)
    with django_assert_max_num_queries(4):
        assert series(gateway.pk, since=HOUR - 86400, until=HOUR + 600)
