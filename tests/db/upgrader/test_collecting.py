"""The collector as the worker runs it: every few seconds, whatever an upgrade does, in a lane of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from fleet.metrics import collect
from fleet.models import Gateway, Reading, Watch
from tests.db.upgrader.world import Fleet
from upgrader import engine, hint, live, tasks
from upgrader.desk import DESK


@pytest.fixture
def worker(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages come at once, lanes work at once; what open pages are told."""
    said: list[str] = []

    def send(task: str, ids: Any, *_: str) -> None:
        if task == "upgrader.tasks.collect_from":
            tasks.collect_from(ids)

    def at_once(_key: object, job: Callable[[], None], **_: bool) -> None:
        job()

    monkeypatch.setattr(hint, "send", send)
    monkeypatch.setattr(DESK, "collect", at_once)
    monkeypatch.setattr(tasks, "GATHER_SECONDS", 0.0)
    monkeypatch.setattr(live, "publish", said.append)
    monkeypatch.setattr(collect, "COLLECTOR", collect.Collector())
    return said


def test_every_gateway_is_measured_and_pages_are_told(fleet: Fleet, worker: list[str]) -> None:
    tasks.collect()
    measured = set(Reading.objects.values_list("gateway__name", flat=True))
    assert measured == set(Gateway.objects.values_list("name", flat=True))
    assert set(worker) == {"readings"}
    assert not Watch.objects.exclude(misses=0).exists()


def test_gateways_under_an_upgrade_come_first(
    fleet: Fleet, worker: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COLLECT_MOST = 1
    last = Gateway.objects.latest("pk")
    monkeypatch.setattr(engine, "busy", lambda: [last.pk])
    tasks.collect()
    assert set(Reading.objects.values_list("gateway", flat=True)) == {last.pk}


def test_switched_off_nobody_is_asked(fleet: Fleet, worker: list[str], settings: Any) -> None:
    settings.COLLECT_SECONDS = 0
    tasks.collect()
    assert not Reading.objects.exists()


def test_old_readings_go_within_half_an_hour_of_runs(
    fleet: Fleet, worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.collect()
    Reading.objects.update(at=1000)
    now = time.time()
    for minute in range(tasks.PURGED_IN):
        monkeypatch.setattr(time, "time", lambda minute=minute: now + 60 * minute)
        tasks.roll_up()
    assert not Reading.objects.filter(at=1000).exists()


def test_a_gateway_that_does_not_answer_is_a_miss(
    fleet: Fleet, worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Gateway.objects.update(adapter=Gateway.Adapter.SSH, address="127.0.0.1", port=1)
    tasks.collect()
    assert set(Watch.objects.values_list("misses", flat=True)) == {1}
    assert all(Watch.objects.values_list("say", flat=True))
