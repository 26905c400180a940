"""One gateway at a time, a word of a person, a moment between two looks: none of them leads around a rule."""

from __future__ import annotations

import pytest
from guardian.shortcuts import remove_perm

from approvals.errors import Refused
from fleet.errors import GiveUp
from tests.db.upgrader.test_abort import draining, serving
from tests.db.upgrader.test_back_asked import limit
from tests.db.upgrader.test_bounded import freeze
from tests.db.upgrader.test_one_gateway import ask, of, stuck
from tests.db.upgrader.world import NEW, OLD, SPEC, Fleet
from upgrader import taking_back
from upgrader.models import Budget, Rollout, StepRun, Upgrade
from upgrader.see import Looked, look
from upgrader.states import R, U


def with_spec(fleet: Fleet, **more: object) -> None:
    fleet.strategy.spec = {**SPEC, **more}
    fleet.strategy.save()


def failed_behind(fleet: Fleet) -> Rollout:
    """gw-1 failed and may, by the strategy; the wave goes on without it."""
    with_spec(fleet, waves=[{"count": 2}, {"rest": True}], failures_max=1)
    fleet.machines["gw-1"].faults.disk_full = True
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    assert of(rollout, "gw-1").state == "failed"
    fleet.machines["gw-1"].faults.disk_full = False
    return rollout


def test_the_next_share_does_not_begin_in_a_freeze_by_a_persons_word(fleet: Fleet) -> None:
    with_spec(fleet, shares="hand")
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    freeze(fleet)
    with pytest.raises(Refused, match="is frozen until .* sale week. The next share may be promoted after that"):
        fleet.act("promote", rollout)
    assert of(rollout, "gw-1").state == "observing"


def test_what_failed_does_not_begin_again_in_a_freeze(fleet: Fleet) -> None:
    rollout = stuck(fleet)
    freeze(fleet)
    with pytest.raises(Refused, match="is frozen until .* gw-1 may be tried again after that"):
        ask(fleet, "retry", rollout, "gw-1")
    with pytest.raises(Refused, match="is frozen until .* gw-1 may be tried again after that"):
        fleet.act("resume", rollout)
    assert (rollout.state, of(rollout, "gw-1").state) == ("held", "failed")


def test_a_rollback_is_tried_again_in_a_freeze(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.machines["gw-1"].faults.bad_logins_after[OLD] = 0
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "failed")
    freeze(fleet)
    ask(fleet, "retry", rollout, "gw-1")
    assert rollout.state == "rolling_back"


def test_a_retry_needs_an_approval_that_still_holds(fleet: Fleet) -> None:
    rollout = failed_behind(fleet)
    remove_perm("approve_rollout", fleet.cal, fleet.pool)
    with pytest.raises(Refused, match="cal approved this, but has lost the right"):
        ask(fleet, "retry", rollout, "gw-1")
    assert of(rollout, "gw-1").state == "failed"


def test_nothing_begins_again_in_a_rollout_that_could_not_be_rolled_back(fleet: Fleet) -> None:
    rollout = failed_behind(fleet)
    Rollout.objects.filter(pk=rollout.pk).update(state=R.FAILED)
    with pytest.raises(Refused, match="only going back is tried again"):
        ask(fleet, "retry", rollout, "gw-1")
    assert of(rollout, "gw-1").state == "failed"


def test_leaving_out_one_by_one_is_no_way_around_the_second_person(fleet: Fleet) -> None:
    limit(2)
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.act("promote", rollout)
    fleet.turn(8)
    ask(fleet, "skip", rollout, "gw-1")
    ask(fleet, "skip", rollout, "gw-2", by=fleet.cal)
    with pytest.raises(Refused, match="2 gateways of this rollout were taken back one by one, and 2 may be"):
        ask(fleet, "skip", rollout, "gw-3")
    assert of(rollout, "gw-3").state == "observing"


def test_one_that_has_not_begun_is_left_out_however_many(fleet: Fleet) -> None:
    limit(0)
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    ask(fleet, "skip", rollout, "gw-3")
    assert of(rollout, "gw-3").state == "skipped"


def test_an_abort_does_not_end_what_is_still_on_its_way_back(fleet: Fleet) -> None:
    rollout = stuck(fleet)
    ask(fleet, "skip", rollout, "gw-1")
    with pytest.raises(Refused, match="gw-1 is on its way back"):
        fleet.act("abort", rollout)
    fleet.turn(3)
    fleet.act("abort", rollout)
    assert rollout.state == "rejected"


def grown(fleet: Fleet, rollout: Rollout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the question whether one person is enough and the act, more gateways carry the release."""
    seen: list[Looked] = []

    def looking(*args: object, **said: object) -> Looked:
        if len(seen) == 1:
            Upgrade.objects.filter(wave__rollout=rollout, gateway__name="gw-1").update(old_retired_at=fleet.now())
        seen.append(look(*args, **said))  # type: ignore[arg-type]  # handed through
        return seen[-1]

    monkeypatch.setattr(taking_back, "look", looking)


def test_what_happens_meanwhile_does_not_widen_a_rollback_of_one_person(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = draining(fleet)
    grown(fleet, rollout, monkeypatch)
    with pytest.raises(Refused, match="needs a second person.* Ask again"):
        fleet.act("roll_back", rollout)
    rollout.refresh_from_db()
    assert rollout.state == "draining"


def test_without_a_budget_no_rollback_is_one_persons(fleet: Fleet) -> None:
    rollout = draining(fleet)
    Budget.objects.all().delete()
    fleet.act("roll_back", rollout)
    assert (rollout.state, rollout.back_request is None) == ("held", False)


def test_a_fail_leaves_those_whose_old_slot_is_gone_to_people(fleet: Fleet) -> None:
    with_spec(fleet, on_fail="rollout")
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.sign_out_all()
    for _ in range(60):
        fleet.turn(1)
        if of(rollout, "gw-1").state == U.DONE:
            break
    fleet.machines["gw-2"].faults.bad_logins_after[NEW] = 2
    fleet.act("promote", rollout)
    fleet.until(rollout, "rolled_back")
    assert serving(fleet) == {"gw-1": NEW, "gw-2": OLD, "gw-3": OLD}
    assert "1 gateway of earlier waves stays on 1.3.0-2" in rollout.reason


def test_a_canary_that_was_left_out_speaks_for_nothing(fleet: Fleet) -> None:
    with_spec(fleet, promote="machine")
    rollout = stuck(fleet)
    ask(fleet, "skip", rollout, "gw-1")
    fleet.turn(3)
    fleet.act("resume", rollout)
    fleet.until(rollout, "waiting_promotion")
    assert rollout.reason.startswith("No gateway carries 1.3.0-2 yet, so nothing speaks for it.")
    fleet.act("promote", rollout)
    fleet.until(rollout, "draining")


def test_a_watch_that_got_a_no_is_taken_up_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = fleet.started()
    fleet.turn(8)

    def refused() -> None:
        raise GiveUp("occtl on gw-1 does not let us in.", code="occtl_no")

    monkeypatch.setattr(fleet.machines["gw-1"], "metrics", refused)
    fleet.until(rollout, "held")
    monkeypatch.undo()
    ask(fleet, "retry", rollout, "gw-1")
    assert of(rollout, "gw-1").state == "observing"
    fleet.until(rollout, "waiting_promotion")


def test_no_reason_promotes_a_fail(fleet: Fleet) -> None:
    with_spec(fleet, shares="hand")
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    watch = StepRun.objects.get(upgrade=of(rollout, "gw-1"), name="observe")
    StepRun.objects.filter(pk=watch.pk).update(result={**watch.result, "lost": "gw-1 rebooted."})
    with pytest.raises(Refused, match="Wave 1 fails, and no word makes that a pass: gw-1 rebooted"):
        fleet.act("promote", rollout, reason="it will be fine")
    assert rollout.state == "waiting_promotion"
