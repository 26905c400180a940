"""kill -9 of the worker in the middle of every step: it comes back, the rollout ends, nothing was done twice.

The tests of this file go on where the one before left the fleet.
"""

from __future__ import annotations

import os
import signal

from tests.stack.hits import Hunt, recorded
from tests.stack.site import BAD, GOOD, NEXT, ONCE, STRATEGY, Site, gone, until
from upgrader.flow import AFTER

BACK = {"restore", "snapshot"}
FORWARD = {*AFTER, "observe"} - BACK


def test_back(site: Site) -> None:
    hunt = Hunt(site, "worker", set(BACK))
    number = hunt.begin(BAD)
    hunt.follow(number, to="rolled_back", seconds=150)
    rows, record = recorded(site, number)
    assert record == rows
    for name, effects in hunt.done().items():
        assert effects.pop("retire", 1) == 1, name  # of the bad slot, when its users are gone
        assert effects == {"stage": 1, "start": 1, "shift": 1, "restore": 1}, name


def test_forward(site: Site) -> None:
    hunt = Hunt(site, "worker", set(FORWARD))
    number = hunt.begin(GOOD)
    hunt.follow(number, to="done", seconds=200)
    rows, record = recorded(site, number)
    assert record == rows
    assert set(rows.values()) == {1}
    for name, effects in hunt.done().items():
        # Also that of the bad slot, when its users went home only now.
        assert effects in (ONCE, ONCE | {"retire": 2}), name
    assert not site.ask("SELECT id FROM upgrader_upgrade WHERE cut <> '[]'")
    assert "whole" in site.dashboard.manage("audit", "verify")


def test_sigterm_of_the_supervisor_ends_everything(site: Site) -> None:
    pids = [site.dashboard.pid, *site.pids().values()]
    assert len(pids) == 6
    site.people().start(NEXT, STRATEGY)
    until(lambda: site.ask("SELECT id FROM upgrader_steprun WHERE state = 'claimed'"), what="no step is at work")
    os.kill(site.dashboard.pid, signal.SIGTERM)
    until(lambda: gone(site.dashboard.pid), what="the supervisor still runs")
    assert [pid for pid in pids if not gone(pid)] == []
