"""Probe hosts and Prometheus as the worker asks them: by the clock, each on its own, in a lane of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleet.models import Gateway, Probe, ProbeHost, PrometheusSource
from tests import factories
from upgrader import hint, tasks
from upgrader.desk import DESK

pytestmark = pytest.mark.django_db


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Messages come at once, the lane works at once; the keys of what it was given."""
    given: list[tuple[str, int]] = []

    def send(task: str, ids: Any, *_: str) -> None:
        assert task == "upgrader.tasks.probe_from"
        tasks.probe_from(ids)

    def at_once(key: tuple[str, int], job: Callable[[], None]) -> None:
        given.append(key)
        job()

    monkeypatch.setattr(hint, "send", send)
    monkeypatch.setattr(DESK, "probe", at_once)
    return given


def host() -> ProbeHost:
    pool = factories.pool()
    Gateway.objects.create(name="fra-gw-01", pool=pool, address="192.0.2.1", public_address="vpn.example.org")
    where = {"address": "192.0.2.40", "seen_from": "192.0.2.40", "key_kind": "ssh-ed25519", "key": "AAAA"}
    return ProbeHost.objects.create(name="probe-1", pool=pool, **where)


def test_a_host_is_asked_when_a_gateway_is_due_and_says_what_it_lacks(lane: list[tuple[str, int]]) -> None:
    one = host()
    tasks.probe()
    assert lane == [("probe", one.pk)]
    one.refresh_from_db()
    assert one.misses == 1
    assert 'There is no credential "probe-key".' in one.say
    tasks.probe()
    assert len(lane) == 1, "the gateway was reserved, and is not due again yet"
    assert Probe.objects.get().at == 0


def test_a_host_that_is_shut_or_switched_off_is_not_asked(lane: list[tuple[str, int]], settings: Any) -> None:
    one = host()
    ProbeHost.objects.update(shut="probe-1 shows another key.")
    tasks.probe()
    ProbeHost.objects.update(shut="")
    settings.PROBE_SECONDS = 0
    tasks.probe()
    assert lane == []
    tasks.do_probe(one.pk + 1)  # removed since the message was sent


def test_a_prometheus_that_does_not_answer_is_said_on_its_row(lane: list[tuple[str, int]]) -> None:
    source = PrometheusSource.objects.create(name="prom-eu", pool=factories.pool(), url="http://127.0.0.1:1")
    tasks.ask_prometheus()
    tasks.do_ask_prometheus(source.pk + 1)
    source.refresh_from_db()
    assert lane == [("prometheus", source.pk)]
    assert source.say.startswith("Prometheus does not answer: ")
    assert (source.answered_at, source.asked_at > 0) == (0.0, True)
