"""Two changes at the same time: the verdict says which of them the failures came with, or that it can't be told."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.metrics.store import insert
from fleet.models import Alert, Errand, Gateway, Reading
from tests.db.upgrader.test_baselines import COLUMNS
from tests.db.upgrader.world import NEW, SPEC, Fleet
from upgrader import see
from upgrader.models import Rollout, StepRun, Strategy
from upgrader.states import Outcome

ALL_AT_ONCE = {**SPEC, "waves": [{"title": "one", "count": 1, "weights": [100]}, {"title": "rest", "rest": True}]}
BEFORE, AFTER = 900, 60  # seconds


def said(name: str, slot: int, at: float, *, good: int, bad: int) -> None:
    place = {"gateway_id": Gateway.objects.get(name=name).pk, "span": 5, "at": int(at), "slot": slot, "release": "x"}
    insert(Reading, [{**dict.fromkeys(COLUMNS), "seconds": 5.0, **place, "logins": good, "failures": bad}], skip=False)


def history(fleet: Fleet, bad: dict[tuple[str, int], int]) -> None:
    """Four logins every ten seconds before, on the old slots, and eighty now on each; `bad`: how many of those fail."""
    for name in fleet.machines:
        for at in range(int(fleet.seconds) - BEFORE, int(fleet.seconds) - AFTER, 10):
            said(name, 1, at, good=4, bad=0 if at % 100 else 1)
        for slot in (1, 2):
            failed = bad.get((name, slot), 0)
            said(name, slot, fleet.seconds - 1, good=80 - failed, bad=failed)


def watched(fleet: Fleet) -> Rollout:
    """A rollout of which the first gateway carries all new users for a minute, and whose probes fail."""
    fleet.strategy = Strategy.objects.create(name="at-once", title="At once", spec=ALL_AT_ONCE)
    rollout = fleet.started()
    fleet.due_step("observe")
    return rollout


def configured(fleet: Fleet, *names: str) -> None:
    for row in Gateway.objects.filter(name__in=names):
        at = fleet.now()
        done = {"state": Errand.State.DONE, "due_at": at, "created_at": at, "finished_at": at}
        Errand.objects.create(gateway=row, kind="agree", subject="drift:1", **done)


PROBES_FAIL = {"canary": {"tried": 20, "failed": 9}, "control": {"tried": 20, "failed": 0}}
USERS_FAIL = {
    "canary": {"tried": 20, "failed": 0},
    "rates": {"logins": {"canary": [80.0, 24, 0.0, 0, 5]}},
    "others": {"until": 0.0, "gateways": 2, "rates": {"logins": [400.0, 3]}},
}


def verdict(fleet: Fleet, rollout: Rollout, tally: dict[str, Any] = PROBES_FAIL) -> Any:
    """What a look says that has these sums."""
    step = StepRun.objects.get(upgrade__wave__rollout=rollout, name="observe")
    step.result = {"tally": tally}
    step.save()
    (found,) = see.look(rollout.pk, now=fleet.now()).judgements.values()
    return found


@pytest.mark.parametrize(
    ("bad", "points_to", "say"),
    [
        ({("gw-1", 2): 24}, "this rollout", f"point to {NEW} ("),
        ({("gw-1", 1): 20, ("gw-1", 2): 20, ("gw-2", 1): 24}, "the agreed configuration put back", f"not to {NEW}"),
        ({("gw-1", 2): 40, ("gw-1", 1): 12, ("gw-2", 1): 12}, "both", "point to both"),
        ({("gw-3", 1): 2}, "unknown", "can't be told"),
    ],
)
def test_the_verdict_says_which_change_it_was(
    fleet: Fleet, bad: dict[tuple[str, int], int], points_to: str, say: str
) -> None:
    rollout = watched(fleet)
    configured(fleet, "gw-1", "gw-2")
    fleet.seconds += AFTER
    history(fleet, bad)
    found = verdict(fleet, rollout)
    (told,) = found.numbers["attribution"]
    assert (found.outcome, told["points_to"]) == (Outcome.FAIL, points_to)
    assert "At the same time there was the agreed configuration put back." in found.sentence
    assert say in found.sentence
    assert told["cells"]["neither"]["tried"] > 0


def test_without_another_change_nothing_is_said(fleet: Fleet) -> None:
    rollout = watched(fleet)
    fleet.seconds += AFTER
    history(fleet, {("gw-1", 2): 24})
    found = verdict(fleet, rollout)
    assert "attribution" not in found.numbers
    assert found.sentence.startswith("9 of 20 logins failed")


def test_a_slot_that_died_is_its_release_s_own(fleet: Fleet) -> None:
    rollout = watched(fleet)
    configured(fleet, "gw-1", "gw-2")
    StepRun.objects.filter(upgrade__wave__rollout=rollout, name="observe").update(
        result={"lost": "It ended by itself."}
    )
    (found,) = see.look(rollout.pk, now=fleet.now()).judgements.values()
    assert (found.outcome, found.sentence) == (Outcome.FAIL, "It ended by itself.")


@pytest.mark.parametrize("taken_back", [False, True])
def test_another_rollout_is_a_change_until_it_is_taken_back(fleet: Fleet, taken_back: bool) -> None:
    rollout = watched(fleet)
    beside(fleet, rollout, taken_back=taken_back)
    fleet.seconds += AFTER
    history(fleet, {("gw-1", 2): 24})
    assert ("attribution" not in verdict(fleet, rollout).numbers) == taken_back


def beside(fleet: Fleet, rollout: Rollout, *, taken_back: bool = False) -> Rollout:
    """Another rollout that has shifted gw-3 at the same moment, and maybe back a second before."""
    first = StepRun.objects.get(upgrade__wave__rollout=rollout, name="shift")
    other = Rollout.objects.get(pk=rollout.pk)
    other.pk, other.request, other.back_request = None, None, None
    other.save()
    wave = rollout.waves.get(number=1)
    wave.pk, wave.rollout = None, other
    wave.save()
    upgrade = first.upgrade
    upgrade.pk, upgrade.wave, upgrade.busy, upgrade.gateway = None, wave, False, Gateway.objects.get(name="gw-3")
    upgrade.save()
    first.pk, first.upgrade = None, upgrade
    first.save()
    if taken_back:
        first.pk, first.name, first.ordinal = None, "restore", first.ordinal + 1
        first.finished_at = fleet.later(-30)
        first.save()
    return other


def test_another_rollout_and_drift_are_changes_too(fleet: Fleet) -> None:
    rollout = watched(fleet)
    other = beside(fleet, rollout)
    row = Gateway.objects.get(name="gw-2")
    Alert.objects.create(gateway=row, kind="drift", code="conf", say="Edited by hand.", since=fleet.now())
    fleet.seconds += AFTER
    history(fleet, {("gw-1", 2): 24})
    told = {one["change"]: one["points_to"] for one in verdict(fleet, rollout).numbers["attribution"]}
    assert told == {f"rollout {other.pk}": "this rollout", "drift of conf": "this rollout"}


def test_what_was_long_before_is_no_change_of_this_window(fleet: Fleet) -> None:
    configured(fleet, "gw-1")
    fleet.seconds += 3600
    rollout = watched(fleet)
    fleet.seconds += AFTER
    history(fleet, {})
    assert "attribution" not in verdict(fleet, rollout).numbers


def test_where_nothing_was_measured_it_says_so(fleet: Fleet) -> None:
    rollout = watched(fleet)
    configured(fleet, "gw-2")
    fleet.seconds += AFTER
    assert "can't be told (nothing was measured)." in verdict(fleet, rollout).sentence


@pytest.mark.parametrize(
    ("bad", "outcome"),
    [
        ({("gw-1", 2): 24}, Outcome.FAIL),
        ({("gw-1", 1): 20, ("gw-1", 2): 20, ("gw-2", 1): 24}, Outcome.INCONCLUSIVE),
        ({}, Outcome.INCONCLUSIVE),
    ],
)
def test_what_was_held_against_other_gateways_is_not_taken_back_for_another_change(
    fleet: Fleet, bad: dict[tuple[str, int], int], outcome: Outcome
) -> None:
    rollout = watched(fleet)
    configured(fleet, "gw-1", "gw-2")
    fleet.seconds += AFTER
    history(fleet, bad)
    found = verdict(fleet, rollout, USERS_FAIL)
    assert found.outcome is outcome
    assert found.sentence.startswith("30 % of users' logins failed")
    assert found.sentence.endswith("So a person decides what is taken back.") is (outcome is Outcome.INCONCLUSIVE)
