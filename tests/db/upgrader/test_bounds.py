"""Windows and freezes against rows: what blocks a pool now, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from approvals.models import User
from fleet.models import Pool
from upgrader import bounds
from upgrader.bounds import Blocked
from upgrader.models import Freeze, Window

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 13, 48, tzinfo=UTC)  # a Monday, 14:48 in Berlin
NIGHT = [{"days": ["mon", "tue"], "from": "22:00", "until": "04:00"}]


@pytest.fixture
def eu() -> Pool:
    return Pool.objects.create(name="eu-west")


@pytest.fixture
def ann() -> User:
    return User.objects.create(username="ann")


def window(pool: Pool | None, by: User, **more: Any) -> Window:
    values = {"title": "Nights", "zone": "Europe/Berlin", "rules": NIGHT, "made_at": NOW}
    return Window.objects.create(pool=pool, made_by=by, **values | more)


def freeze(pool: Pool | None, by: User, **more: Any) -> Freeze:
    values = {"reason": "The fair in Hanover.", "starts_at": NOW - timedelta(hours=1), "made_at": NOW}
    return Freeze.objects.create(pool=pool, made_by=by, **values | more)


def why(pool: Pool, now: datetime = NOW, passes: tuple[int, ...] = ()) -> Blocked | None:
    return bounds.read(now).why_not(pool.pk, passes)


def test_without_any_window_or_freeze_nothing_is_blocked(eu: Pool) -> None:
    assert why(eu) is None
    assert bounds.read(NOW).begins_at(eu.pk) == NOW


def test_a_closed_window_says_when_it_opens(eu: Pool, ann: User) -> None:
    window(eu, ann)
    opens = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
    said = "The window of eu-west is closed: it opens at 22:00 Europe/Berlin (in 7 h 12 min)."
    assert why(eu) == Blocked("window", said, opens)
    assert why(eu, opens) is None
    assert why(eu, opens + timedelta(hours=6)) is not None


def test_the_day_is_named_when_it_is_not_today(eu: Pool, ann: User) -> None:
    window(eu, ann, rules=[{"days": ["fri"], "from": "22:00", "until": "23:00"}])
    blocked = why(eu)
    assert blocked is not None
    assert "it opens on Fri 27 Nov at 22:00 Europe/Berlin (in 4 d 7 h)." in blocked.say


def test_a_pools_own_windows_replace_the_fleets(eu: Pool, ann: User) -> None:
    window(None, ann)
    assert why(eu) is not None
    window(eu, ann, rules=[{"days": ["mon"], "from": "08:00", "until": "20:00"}])
    assert why(eu) is None
    assert why(Pool.objects.create(name="us")) is not None


def test_one_of_several_open_windows_is_enough(eu: Pool, ann: User) -> None:
    window(eu, ann)
    window(eu, ann, rules=[{"days": ["mon"], "from": "08:00", "until": "20:00"}])
    assert why(eu) is None


def test_a_window_that_was_ended_binds_nobody(eu: Pool, ann: User) -> None:
    window(eu, ann, ended_at=NOW)
    assert why(eu) is None


@pytest.mark.parametrize("broken", [{"zone": "Mars/Olympus"}, {"rules": []}, {"rules": [{"days": ["mon"]}]}])
def test_one_that_can_not_be_read_stops_everything_and_says_which_and_why(
    eu: Pool, ann: User, broken: dict[str, Any]
) -> None:
    window(eu, ann, rules=[{"days": ["mon"], "from": "08:00", "until": "20:00"}])
    window(eu, ann, title="Old nights", **broken)
    blocked = why(eu)
    assert blocked is not None
    assert (blocked.kind, blocked.until) == ("unreadable", None)
    assert blocked.say.startswith("The window Old nights can't be read: ")
    assert blocked.say.endswith(" Nothing begins until that is mended.")
    assert bounds.read(NOW).begins_at(eu.pk) is None


def test_a_freeze_holds_from_its_start_until_its_end(eu: Pool, ann: User) -> None:
    ends = NOW + timedelta(hours=2)
    freeze(eu, ann, starts_at=NOW, ends_at=ends)
    said = "eu-west is frozen until 15:48 UTC (in 2 h), by ann: The fair in Hanover."
    assert why(eu) == Blocked("freeze", said, ends)
    assert why(eu, NOW - timedelta(seconds=1)) is None
    assert why(eu, ends) is None


def test_a_freeze_of_the_fleet_holds_every_pool_until_it_is_lifted(eu: Pool, ann: User) -> None:
    row = freeze(None, ann)
    said = "The fleet is frozen until somebody lifts it, by ann: The fair in Hanover."
    assert why(eu) == Blocked("freeze", said, None)
    row.lifted_at = NOW
    row.save()
    assert why(eu) is None


def test_exactly_the_freezes_that_are_named_let_a_rollout_pass(eu: Pool, ann: User) -> None:
    one, two = freeze(eu, ann), freeze(None, ann, reason="Another.")
    assert why(eu, passes=(one.pk, two.pk)) is None
    blocked = why(eu, passes=(one.pk,))
    assert blocked is not None
    assert "Another." in blocked.say


def test_a_freeze_that_is_passed_opens_no_window(eu: Pool, ann: User) -> None:
    row = freeze(eu, ann)
    window(eu, ann)
    blocked = why(eu, passes=(row.pk,))
    assert blocked is not None
    assert blocked.kind == "window"


def test_when_something_may_begin_again_counts_freezes_that_are_to_come(eu: Pool, ann: User) -> None:
    window(eu, ann)
    freeze(eu, ann, ends_at=NOW + timedelta(hours=1))
    freeze(None, ann, starts_at=NOW + timedelta(hours=3), ends_at=NOW + timedelta(hours=15))
    assert bounds.read(NOW).begins_at(eu.pk) == datetime(2026, 11, 24, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(("emergency", "passes"), [(True, (4, 7)), (False, ()), ("true", ()), (None, ())])
def test_only_an_emergency_passes_what_its_plan_names(emergency: Any, passes: tuple[int, ...]) -> None:
    assert bounds.passes_of({"passes": [4, 7], "spec": {"emergency": emergency}}) == passes


def test_reading_is_three_queries_for_any_number_of_pools(
    ann: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    pools = [Pool.objects.create(name=f"pool-{number}") for number in range(30)]
    for pool in pools:
        window(pool, ann)
        freeze(pool, ann, ends_at=NOW)
    with django_assert_num_queries(3):
        read = bounds.read(NOW)
        assert all(read.why_not(pool.pk) for pool in pools)
