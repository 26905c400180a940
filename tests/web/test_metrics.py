"""What Prometheus reads: with the token, from the database, in its own format."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from fleet.models import Watch
from tests.scenes import scene

TOKEN = "let-me-read-0123456789"


@pytest.fixture
def prometheus(settings: Any) -> Client:
    settings.METRICS_TOKEN = TOKEN
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


def read(client: Client) -> dict[tuple[str, ...], float]:
    """(name, label values…) → value."""
    page = client.get("/metrics")
    assert page.status_code == 200
    assert page["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(page.content.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_it_says_how_everything_stands(prometheus: Client) -> None:
    made = scene("observing")
    Watch.objects.create(gateway=made.upgrades(1)[0].gateway, asked_at=1_795_000_000.0)
    found = read(prometheus)
    assert found["handover_rollouts", "upgrading"] == 1
    gateways = [value for key, value in found.items() if key[:2] == ("handover_gateways", "eu-west")]
    assert sum(gateways) == made.rollout.pool.gateways.count()
    assert found["handover_audit_sequence",] > 0
    assert found["handover_collector_last_timestamp_seconds",] == 1_795_000_000.0
    assert any(key[0] == "handover_gateway_sessions" for key in found)


def test_an_empty_installation_has_numbers_too(prometheus: Client) -> None:
    found = read(prometheus)
    assert found["handover_approvals_pending",] == found["handover_steps_late_seconds",] == 0


def test_only_who_knows_the_token_reads_it(settings: Any) -> None:
    assert Client().get("/metrics").status_code == 404
    settings.METRICS_TOKEN = TOKEN
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"Authorization": "Bearer "}):
        refused = Client(headers=sent).get("/metrics")
        assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
        assert b"handover_" not in refused.content
    assert Client().post("/metrics").status_code == 405


def test_a_scrape_does_not_grow_with_the_fleet(
    prometheus: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    scene("observing")
    with django_assert_max_num_queries(16):
        read(prometheus)
