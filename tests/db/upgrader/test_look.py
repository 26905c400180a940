"""Who is asked in the collector's rhythm: nobody who is not confirmed, in quarantine, or gone. An answer that comes
late overwrites nothing newer."""

from __future__ import annotations

from typing import Any

import pytest

from fleet import gateways, services
from fleet.models import Gateway
from fleet.ports import Facts
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import hint, run, tasks
from upgrader.models import StepRun


def test_only_those_that_may_be_spoken_to_are_asked(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def note(task: str, row_ids: list[int], *_: str) -> None:
        if task == "upgrader.tasks.look_at":
            names.extend(Gateway.objects.filter(pk__in=row_ids).values_list("state", flat=True))

    monkeypatch.setattr(hint, "send", note)
    for state in Gateway.State:
        Gateway.objects.create(name=f"gw-{state}", pool=fleet.pool, address="x", state=state)
    tasks.look()
    assert set(names) == set(Gateway.SPOKEN_TO)


class Late:
    """gw-1, whose answer comes after it went back and that was noted; `dropped`: a step that ended by that."""

    def __init__(self, fleet: Fleet, dropped: int = 0) -> None:
        self.fleet, self.gateway, self.dropped = fleet, fleet.machines["gw-1"], dropped

    def facts(self) -> Facts:
        facts = self.gateway.facts()
        StepRun.objects.filter(pk=self.dropped).update(state="dropped")
        Gateway.objects.filter(name="gw-1").update(release=OLD, facts_at=self.fleet.now())
        return facts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.gateway, name)


@pytest.fixture
def drained(fleet: Fleet) -> StepRun:
    """gw-1 serves the new release, and its old slot drains."""
    fleet.until(fleet.started(), "waiting_promotion", seconds=90)
    assert Gateway.objects.get(name="gw-1").release == NEW
    return fleet.due_step("drain")


def test_what_a_step_saw_that_is_over_is_not_kept(fleet: Fleet, drained: StepRun) -> None:
    late: Any = Late(fleet, dropped=drained.pk)
    assert run.run_step(drained.pk, opener=lambda row: late, clock=fleet.now) == []
    assert Gateway.objects.get(name="gw-1").release == OLD


def test_a_look_that_others_overtook_is_not_kept(
    fleet: Fleet, drained: StepRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "open", lambda row: Late(fleet))
    assert services.look(Gateway.objects.get(name="gw-1"), now=fleet.now())
    assert Gateway.objects.get(name="gw-1").release == OLD
