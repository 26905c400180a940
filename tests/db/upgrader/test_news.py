"""A tick looks at a rollout where a row changed, where a time has come, and now and then in any case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.db.upgrader.world import Fleet
from upgrader import engine
from upgrader.models import Rollout, Upgrade, Wave
from upgrader.news import AGAIN, SPREAD, News
from upgrader.states import R, W


@pytest.fixture
def seen(fleet: Fleet) -> tuple[Rollout, News]:
    """A rollout that has just been looked at."""
    rollout, news = fleet.started(), News()
    assert news.due(engine.LIVE, now=fleet.now()) == [rollout.pk]
    return rollout, news


def test_nothing_new_nothing_to_look_at(fleet: Fleet, seen: tuple[Rollout, News]) -> None:
    assert seen[1].due(engine.LIVE, now=fleet.now() + timedelta(seconds=1)) == []


@pytest.mark.parametrize("model", [Rollout, Wave, Upgrade])
def test_a_row_that_moved_is_news(fleet: Fleet, seen: tuple[Rollout, News], model: Any) -> None:
    rollout, news = seen
    row = model.objects.first()
    model.objects.filter(pk=row.pk).update(version=row.version + 1)
    assert news.due(engine.LIVE, now=fleet.now()) == [rollout.pk]
    assert news.due(engine.LIVE, now=fleet.now()) == []


def test_an_observation_that_ends_is_looked_at_until_it_has_moved(fleet: Fleet, seen: tuple[Rollout, News]) -> None:
    rollout, news = seen
    Wave.objects.filter(rollout=rollout, number=1).update(state=W.OBSERVING, observe_until=fleet.now())
    for _ in range(2):
        assert news.due(engine.LIVE, now=fleet.now()) == [rollout.pk]


def test_one_that_waits_is_looked_at_each_time(fleet: Fleet, seen: tuple[Rollout, News]) -> None:
    rollout, news = seen
    Rollout.objects.filter(pk=rollout.pk).update(waits="The window is closed.")
    for _ in range(2):
        assert news.due(engine.LIVE, now=fleet.now()) == [rollout.pk]


def test_in_any_case_after_a_while(fleet: Fleet, seen: tuple[Rollout, News]) -> None:
    rollout, news = seen
    assert news.due(engine.LIVE, now=fleet.now() + AGAIN + timedelta(seconds=SPREAD)) == [rollout.pk]


def test_a_tick_with_news_carries_a_rollout_as_one_without(fleet: Fleet) -> None:
    rollout, news = fleet.started(), News()
    engine.tick(now=fleet.now(), news=news)
    rollout.refresh_from_db()
    assert rollout.state == R.UPGRADING
    assert Upgrade.objects.filter(busy=True).exists()
