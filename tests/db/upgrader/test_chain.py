"""A chain of steps: claimed one after the other in the transaction that settles the one before, and asked like each."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import audit
from releases.models import Release
from tests.db.upgrader.world import Fleet
from upgrader import desk, engine, run
from upgrader.models import Rollout, StepRun
from upgrader.states import R, S
from upgrader.steps.table import STEPS

FORWARD = ["preflight", "stage", "check", "start", "probe", "shift"]
QUERIES_MOST = 115  # of a gateway's way to its shift, with BEGIN and COMMIT: a bound on what one costs


def begun(fleet: Fleet) -> tuple[Rollout, StepRun]:
    rollout = fleet.started()
    engine.tick(now=fleet.now())
    return rollout, fleet.open_steps()[0]


def chain(fleet: Fleet, step: StepRun) -> run.Ended:
    return run.run_chain(step.pk, opener=fleet.opener, clock=fleet.now, steps=desk.WORK)


def names(step: StepRun) -> list[str]:
    return list(StepRun.objects.filter(upgrade=step.upgrade_id).order_by("ordinal").values_list("name", flat=True))


def test_it_goes_to_the_shift_and_tells_the_engine(fleet: Fleet) -> None:
    _, step = begun(fleet)
    ended = chain(fleet, step)
    assert names(step) == [*FORWARD, "observe"]
    assert [(follows.name, follows.state) for follows in ended.opened] == [("observe", S.DUE)]
    assert ended.ask_engine
    assert audit.verify() is None


def test_a_clock_that_goes_on_does_not_end_it(fleet: Fleet) -> None:
    """A gateway was heard from while its step ran, not after it."""
    _, step = begun(fleet)
    moments = itertools.count()
    run.run_chain(
        step.pk,
        opener=fleet.opener,
        clock=lambda: fleet.now() + timedelta(milliseconds=next(moments)),
        steps=desk.WORK,
    )
    assert names(step) == [*FORWARD, "observe"]


def test_each_step_has_a_fence_of_its_own_and_one_attempt(fleet: Fleet) -> None:
    _, step = begun(fleet)
    chain(fleet, step)
    rows = StepRun.objects.filter(upgrade=step.upgrade_id, name__in=FORWARD).order_by("ordinal")
    fences = [row.fence for row in rows]
    assert fences == sorted(set(fences))
    assert {(row.attempts, row.state) for row in rows} == {(1, S.DONE)}


def stopped_by(fleet: Fleet, monkeypatch: Any, act: Any) -> StepRun:
    """The step at which a chain ended, when `act` happens during its check."""
    rollout, step = begun(fleet)
    usual = STEPS["check"]

    def check(*args: Any) -> Any:
        act(rollout)
        return usual(*args)

    monkeypatch.setitem(STEPS, "check", check)
    chain(fleet, step)
    return StepRun.objects.filter(upgrade=step.upgrade_id).latest("ordinal")


def test_a_hold_ends_it_before_the_next_step(fleet: Fleet, monkeypatch: Any) -> None:
    last = stopped_by(fleet, monkeypatch, lambda rollout: fleet.act("hold", rollout))
    assert (last.name, last.state) == ("start", S.DUE)


def test_a_release_that_is_withdrawn_ends_it(fleet: Fleet, monkeypatch: Any) -> None:
    def withdraw(rollout: Rollout) -> None:
        Release.objects.filter(pk=rollout.release_id).update(state=Release.State.YANKED, state_reason="leaks")

    last = stopped_by(fleet, monkeypatch, withdraw)
    assert (last.name, last.state) == ("start", S.DUE)
    assert not run.run_step(last.pk, opener=fleet.opener, clock=fleet.now)
    assert Rollout.objects.get().state == R.HELD


def test_a_gateway_costs_a_bounded_number_of_queries(fleet: Fleet) -> None:
    _, step = begun(fleet)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        chain(fleet, step)
    most = Counter(query["sql"][:60] for query in seen.captured_queries).most_common(5)
    assert len(seen) <= QUERIES_MOST, most
