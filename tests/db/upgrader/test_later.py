"""Who came to a gateway last takes back first, whatever was drafted first."""

from __future__ import annotations

from typing import Any

from fleet.models import Gateway
from tests.db.upgrader.world import NEW, OLD, SPEC, Fleet
from upgrader import later, services
from upgrader.models import Rollout, Upgrade
from upgrader.states import U

AT_ONCE: dict[str, Any] = {**SPEC, "waves": [{"rest": True}], "promote": "machine", "at_once": 3}


def drafted_first_begun_last(fleet: Fleet) -> tuple[Rollout, Rollout]:
    """The first to be drafted finds the other's release on all gateways, and fails there; the other has ended."""
    fleet.strategy.spec = AT_ONCE
    fleet.strategy.save()
    drafted = fleet.draft()
    fleet.seconds += 60
    other = fleet.until(fleet.started(), "draining", seconds=90)
    services.submit(drafted, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    drafted.refresh_from_db()
    cal, now = fleet.who(fleet.cal), fleet.now()
    services.decide(drafted, yes=True, reason="", digest=drafted.digest, actor=cal, now=now)
    return fleet.until(drafted, "held"), other


def test_one_that_failed_behind_another_lets_the_gateways_go(fleet: Fleet) -> None:
    drafted, other = drafted_first_begun_last(fleet)
    assert Upgrade.objects.filter(wave__rollout=drafted, state=U.FAILED).exists()
    everywhere = list(Gateway.objects.values_list("pk", flat=True))
    assert not later.after(drafted, everywhere).exists()
    assert not later.after(other, everywhere).exists()
    fleet.act("roll_back", drafted, by=fleet.cal)
    fleet.until(drafted, "rolled_back")
    assert not Upgrade.objects.filter(wave__rollout=drafted, busy=True).exists()
    assert {gateway.machine.steering.committed.release for gateway in fleet.machines.values()} == {NEW}  # type: ignore[union-attr]
    fleet.act("roll_back", other, by=fleet.cal)
    fleet.until(other, "rolled_back")
    assert {gateway.machine.steering.committed.release for gateway in fleet.machines.values()} == {OLD}  # type: ignore[union-attr]
