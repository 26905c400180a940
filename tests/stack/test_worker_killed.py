"""kill -9 of the worker in the middle of every step: it comes back, the rollout ends, nothing was done twice."""

from __future__ import annotations

from tests.stack.hits import Hunt, recorded
from tests.stack.site import BAD, GOOD, STRATEGY, Site
from upgrader.steps.table import STEPS

BACK = {"restore", "snapshot"}


def test_back(site: Site) -> None:
    hunt = Hunt(site, "worker", set(BACK))
    number = site.people().start(BAD, STRATEGY)
    hunt.follow(number, to="rolled_back", seconds=60)
    rows, record = recorded(site, number)
    assert record == rows
    for name, effects in hunt.done().items():
        assert effects.pop("retire", 1) == 1, name  # of the bad slot, when its users are gone
        assert effects == {"stage": 1, "start": 1, "shift": 1, "restore": 1}, name


def test_forward(site: Site) -> None:
    hunt = Hunt(site, "worker", set(STEPS) - BACK)
    number = site.people().start(GOOD, STRATEGY)
    hunt.follow(number, to="done", seconds=100)
    rows, record = recorded(site, number)
    assert record == rows
    assert set(rows.values()) == {1}
    for name, effects in hunt.done().items():
        # Also that of the bad slot, when its users went home only now.
        assert effects.pop("retire") in (1, 2), name
        assert effects == {"stage": 1, "start": 1, "shift": 1, "commit": 1}, name
    assert not site.ask("SELECT id FROM upgrader_upgrade WHERE cut <> '[]'")
    assert "whole" in site.dashboard.manage("audit", "verify")
