"""The tables of steps: every step of every way exists, has words, and knows where it goes back to."""

from __future__ import annotations

import pytest

from upgrader import flow
from upgrader.states import U
from upgrader.steps.table import OF_WAY, STEPS
from upgrader.words import STEP_SAYS


@pytest.mark.parametrize("way", flow.WAYS)
def test_every_step_can_be_run_said_and_tried_again(way: str) -> None:
    named = {*flow.WAYS[way], *(follows.step for follows in flow.WAYS[way].values() if follows.step)}
    assert named <= set(STEPS)
    assert named <= set(STEP_SAYS)
    assert named <= set(flow.STATE_DURING)


@pytest.mark.parametrize(
    ("traffic", "config", "way"),
    [
        ("handover", "", ""),
        ("proxy", "restart", "restart"),
        ("in_place", "", "in_place"),
        ("in_place", "restart", "in_place restart"),
        ("in_place", "reload", "reload"),
        ("incoming", "", "incoming"),
        ("incoming", "restart", "incoming restart"),
        ("outgoing", "restart", "outgoing"),
        (flow.SETTLED, "", "incoming there"),
    ],
)
def test_traffic_and_configuration_make_a_way(traffic: str, config: str, way: str) -> None:
    assert flow.way(traffic, config) == way
    assert way in flow.WAYS


def test_what_a_way_does_differently_is_on_that_way() -> None:
    for way, steps in OF_WAY.items():
        assert set(steps) <= set(flow.WAYS[way])
        assert set(steps) <= set(STEPS)


def test_the_idle_pool_keeps_its_release_before_all_shift_together() -> None:
    walk, step, state = [], "preflight", U.UPGRADING
    while step:
        walk.append(step)
        step, state = (follows := flow.after(step, state, "incoming", together=True)).step, follows.state or state
    assert walk == ["preflight", "stage", "check", "drain_front", "replace", "probe", "settle"]
    assert state is U.READY


def test_in_place_cuts_only_between_the_drain_and_the_probe() -> None:
    walk, step = [], "preflight"
    while step:
        walk.append(step)
        step = flow.after(step, U.UPGRADING, "in_place").step if step != "observe" else ""
    assert walk == ["preflight", "stage", "check", "drain_front", "replace", "probe", "ready_front", "observe"]
