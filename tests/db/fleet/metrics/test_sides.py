"""Many gateways as one line: counts added, means with their range, from whichever span has them, in few queries."""

from __future__ import annotations

import pytest
from django.db.models import Q
from pytest_django import DjangoAssertNumQueries

from fleet.metrics import rollup
from fleet.metrics.sides import Side, buckets, step_of
from fleet.models import Span
from tests.db.fleet.metrics.test_rollup import HOUR, fill
from tests.db.fleet.metrics.test_store import gateways

pytestmark = pytest.mark.django_db


def side(number: int) -> Side:
    return Side("r1", "canary", Q(release="r1"), [row.pk for row in gateways(number)])


def test_counts_are_added_over_gateways_and_users_are_theirs_together() -> None:
    both = side(2)
    for pk in both.gateways:
        fill(pk, begin=HOUR, end=HOUR + 100)
    found = buckets(both, since=HOUR, until=HOUR + 100, step=10, now=HOUR + 100)
    assert [bucket.at for bucket in found] == list(range(HOUR, HOUR + 100, 10))
    assert {(bucket.get("failures"), bucket.get("users")) for bucket in found} == {(2, 20)}
    assert (found[0].get("rtt_ms"), found[0].get("rtt_ms_low"), found[0].get("rtt_ms_high")) == (0.5, 0.0, 1.0)
    assert found[0].get("logins") is None


def test_minutes_where_they_are_made_and_seconds_after() -> None:
    one = side(1)
    fill(one.gateways[0], begin=HOUR, end=HOUR + 330)
    rollup.roll_up(HOUR + 310)
    found = buckets(one, since=HOUR + 300, until=HOUR + 330, step=60, now=HOUR + 330)
    assert [(bucket.at - HOUR, bucket.get("failures")) for bucket in found] == [(n * 60, 6) for n in range(5)] + [
        (300, 3)
    ]


def test_readings_of_long_ago_come_from_the_coarser_span() -> None:
    one = side(1)
    fill(one.gateways[0], begin=HOUR, end=HOUR + 600, every=60, span=60)
    told = buckets(one, since=HOUR, until=HOUR + 600, step=5, now=HOUR + 24 * 3600)
    assert [bucket.at - HOUR for bucket in told] == [], "the minutes were never said to be made"
    Span.objects.create(seconds=60, keep_hours=72, rolled_until=HOUR + 600)
    told = buckets(one, since=HOUR, until=HOUR + 600, step=5, now=HOUR + 24 * 3600)
    assert [bucket.at - HOUR for bucket in told] == list(range(0, 600, 60))


def test_a_side_takes_the_same_queries_however_many_gateways(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    many = side(12)
    for pk in many.gateways:
        fill(pk, begin=HOUR, end=HOUR + 30)
    with django_assert_max_num_queries(4):
        buckets(many, since=HOUR, until=HOUR + 30, step=5, now=HOUR + 30)


@pytest.mark.parametrize(
    ("seconds", "gateways", "step"), [(600, 1, 5), (3600, 1, 10), (3600, 200, 60), (86_400, 1, 300), (9e9, 1, 86_400)]
)
def test_a_line_has_at_most_600_points(seconds: float, gateways: int, step: int) -> None:
    assert step_of(seconds, gateways) == step
