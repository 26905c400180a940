"""Who is asked in the collector's rhythm: nobody who is not confirmed, in quarantine, or gone."""

from __future__ import annotations

import pytest

from fleet.models import Gateway
from tests.db.upgrader.world import Fleet
from upgrader import hint, tasks


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
