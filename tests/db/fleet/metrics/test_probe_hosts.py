"""The collector tells gateways where probe hosts come from, and goes on with those that don't want to hear it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from fleet.errors import GiveUp
from fleet.measured import SlotMetrics
from fleet.metrics import collect
from fleet.models import Gateway, ProbeHost, Watch
from tests import factories

pytestmark = pytest.mark.django_db
AT = 1_795_460_400.0


class Asked:
    """A gateway that notes which probe hosts it is told of; an older one refuses."""

    def __init__(self, *, older: bool) -> None:
        self.older = older
        self.told: list[list[str]] = []

    def metrics(self, *, probes: Collection[str] = ()) -> Sequence[SlotMetrics]:
        self.told.append(list(probes))
        if probes and self.older:
            raise GiveUp("metrics takes no field probes.", code="bad_request")
        return ()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def gateway() -> Gateway:
    where: dict[str, Any] = {"pool": factories.pool(), "address": "192.0.2.1"}
    for number in (1, 2):
        key = {"key_kind": "ssh-ed25519", "key": "AAAA", "seen_from": f"198.51.100.{number}"}
        ProbeHost.objects.create(name=f"probe-{number}", **where, **key)
    Gateway.objects.create(name="fra-gw-01", **where)
    (row,) = collect.rows(collect.everybody())
    return row


def looked(made: collect.Collector, gateway: Gateway, asked: Asked, at: float) -> None:
    made.look(gateway, opener=lambda _: asked, clock=lambda: at)  # type: ignore[arg-type,return-value]  # what is asked of it
    made.flush()


def test_it_is_told_where_probes_come_from(gateway: Gateway) -> None:
    made, asked = collect.Collector(), Asked(older=False)
    looked(made, gateway, asked, AT)
    assert asked.told == [["198.51.100.1", "198.51.100.2"]]
    assert Watch.objects.get().answered_at == AT


def test_an_older_one_is_asked_as_ever_from_then_on_and_has_missed_nothing(gateway: Gateway) -> None:
    made, asked = collect.Collector(), Asked(older=True)
    looked(made, gateway, asked, AT)
    assert not Watch.objects.filter(misses__gt=0).exists()
    looked(made, gateway, asked, AT + 5)
    looked(made, gateway, asked, AT + 10)
    assert asked.told == [["198.51.100.1", "198.51.100.2"], [], []]
    assert Watch.objects.get().answered_at == AT + 10
