"""From failing sign-ins to the webhook, through the doors that the clock opens."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fleet.models import AlarmState, Alert, Delivery
from tests.db.fleet.alarms.sinks import Hooks, serving
from tests.db.fleet.alarms.world import answered, contact, measured, read
from upgrader import live, tasks
from upgrader.desk import DESK

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk does what it is given, and nobody listens to live pages."""

    def do(_: tuple[str, int], job: Callable[[], None]) -> None:
        job()

    for lane in ("beside", "post"):
        monkeypatch.setattr(DESK, lane, do)
    monkeypatch.setattr(live, "publish", lambda _: None)


def crashing(count: int) -> None:
    """Gateways that answered a moment ago: the tasks go by the clock on the wall."""
    gateways = measured(count)
    for gateway in gateways:
        answered(gateway, time.time())
    read(gateways, until=time.time(), crashes=1)


def test_what_fails_on_three_gateways_comes_to_the_webhook_once(at_once: None, settings: Any) -> None:
    settings.ALERTS_TO, settings.PUBLIC_URL = ["127.0.0.1"], "https://handover.example.org"
    began = time.time()
    crashing(3)
    tasks.judge()
    Alert.objects.update(since=timezone.now() - timedelta(seconds=20))
    with serving(Hooks()) as hooks:
        contact(url=f"json://127.0.0.1:{hooks.server_port}/noc")
        for _ in range(3):
            tasks.tell()
    alert = Alert.objects.get(kind="alarm")
    assert [got["data"]["title"] for got in hooks.got] == ["Critical: ocserv crashed · eu-west"]
    assert f"Decide: https://handover.example.org/alerts/{alert.pk}/" in hooks.got[0]["data"]["message"]
    assert Delivery.objects.get().state == "sent"
    assert AlarmState.objects.filter(firing=True, since__gte=began).count() == 3
