"""Yesterday's database came back: gateways are ahead, nothing is done on old plans, a person says how to go on."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from fleet import gateways, orders, services
from fleet.gateways.dial import HostKeyChanged
from fleet.models import Gateway
from fleet.ports import Gateway as Port
from tests.db.upgrader.test_third_slot import drains
from tests.db.upgrader.world import NEW, OLD, Fleet, make_release
from upgrader.models import Rollout, Upgrade
from upgrader.states import U


@pytest.fixture
def strict(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A fleet that is opened as real ones are: who is in quarantine is not spoken to."""

    def opened(row: Gateway) -> Port:
        if row.state == Gateway.State.QUARANTINED:
            raise HostKeyChanged(f"{row.name} is in quarantine. {row.state_reason}")
        return fleet.machines[row.name]

    fleet.opener = opened
    monkeypatch.setattr(gateways, "open", opened)
    return fleet


def ahead(fleet: Fleet) -> None:
    """gw-1 was looked at, and has heard more since than the database knows."""
    row = Gateway.objects.get(name="gw-1")
    services.note_facts(row, fleet.machines["gw-1"].facts().raw, now=fleet.now())
    fleet.machines["gw-1"].machine.fence = 157


def of(rollout: Rollout) -> Upgrade:
    return Upgrade.objects.get(wave__rollout=rollout, gateway__name="gw-1")


def test_a_gateway_that_is_ahead_holds_the_old_plan(strict: Fleet) -> None:
    ahead(strict)
    effects = dict(strict.machines["gw-1"].effects)
    rollout = strict.until(strict.started(), "held", seconds=30)
    row = Gateway.objects.get(name="gw-1")
    assert row.state == Gateway.State.QUARANTINED
    assert "gw-1 has seen orders up to 157, and this database knows" in row.state_reason
    assert "has seen orders up to 157" in rollout.reason
    assert strict.machines["gw-1"].effects == effects, "nothing was done there"
    assert row.fence < 157, "nobody drew higher numbers until it let them in"


@pytest.mark.parametrize("seconds", [8, 40])
def test_in_the_middle_it_is_found_before_anything_is_done(strict: Fleet, seconds: int) -> None:
    rollout = strict.started()
    strict.turn(seconds)
    strict.machines["gw-1"].machine.fence = 1157
    effects = dict(strict.machines["gw-1"].effects)
    strict.turn(120)
    assert strict.machines["gw-1"].effects == effects
    assert Gateway.objects.get(name="gw-1").state == Gateway.State.QUARANTINED
    assert of(rollout).state in (U.FAILED, U.DRAINING)


def restored(fleet: Fleet, by: int) -> dict[str, int]:
    """Yesterday's database is back and everything runs anew; gw-1 has seen so many more orders. What it did so far."""
    orders.forget()
    machine = fleet.machines["gw-1"].machine
    machine.fence = Gateway.objects.get(name="gw-1").ordered + by
    return dict(machine.effects)


@pytest.mark.parametrize("by", [1, 2, 5])
@pytest.mark.parametrize("step", ["stage", "shift", "observe", "commit", "drain"])
def test_a_claim_that_draws_what_it_has_seen_already_acts_on_nothing(strict: Fleet, step: str, by: int) -> None:
    strict.started()
    strict.due_step(step)
    effects = restored(strict, by)
    strict.sign_out_all()
    strict.turn(90)
    assert strict.machines["gw-1"].machine.effects == effects
    row = Gateway.objects.get(name="gw-1")
    assert row.state == Gateway.State.QUARANTINED
    assert services.orders_ahead(row) == row.ordered + by, "a person can say to believe it"


def test_claims_that_find_nobody_hide_nothing(strict: Fleet) -> None:
    strict.started()
    strict.due_step("observe")
    effects = restored(strict, 4)
    strict.machines["gw-1"].faults.unreachable = True
    strict.turn(150)
    assert Gateway.objects.get(name="gw-1").fence > strict.machines["gw-1"].machine.fence
    strict.machines["gw-1"].faults.unreachable = False
    strict.turn(60)
    assert strict.machines["gw-1"].machine.effects == effects
    assert Gateway.objects.get(name="gw-1").state == Gateway.State.QUARANTINED


def test_a_person_who_takes_back_what_an_old_plan_did_is_told_first(strict: Fleet) -> None:
    rollout = strict.until(strict.started(), "waiting_promotion", seconds=120)
    effects = restored(strict, 1)
    strict.act("roll_back", rollout)
    strict.until(rollout, "failed", seconds=120)
    assert strict.machines["gw-1"].machine.effects == effects
    assert "has seen orders up to" in rollout.reason


def test_a_rollback_that_failed_for_it_ends_once_it_is_believed(strict: Fleet) -> None:
    rollout = strict.until(strict.started(), "waiting_promotion", seconds=120)
    restored(strict, 1)
    strict.act("roll_back", rollout)
    strict.until(rollout, "failed", seconds=120)
    call_command("believe", "gw-1", why="restored from last night's backup")
    strict.act("abort", rollout, by=strict.cal, reason="there is nothing left of it")
    assert strict.until(rollout, "rolled_back", seconds=10).state == "rolled_back"


def test_a_later_fence_of_our_own_is_no_alarm(strict: Fleet) -> None:
    rollout = strict.started()
    strict.turn(5)
    Gateway.objects.filter(name="gw-1").update(fence=500, ordered=500)
    strict.machines["gw-1"].machine.fence = 500
    strict.until(rollout, "waiting_promotion", seconds=90)
    assert Gateway.objects.get(name="gw-1").state == Gateway.State.ENROLLED


def test_a_person_believes_it_and_the_old_plan_is_closed(strict: Fleet) -> None:
    ahead(strict)
    rollout = strict.until(strict.started(), "held", seconds=30)
    strict.machines["gw-1"].machine.releases[NEW] = ("0" * 64, "1.3.0")
    call_command("believe", "gw-1", why="restored from last night's backup")
    row = Gateway.objects.get(name="gw-1")
    assert (row.state, row.fence, row.release) == (Gateway.State.ENROLLED, 157, OLD)
    assert (of(rollout).state, of(rollout).busy) == (U.SKIPPED, False)
    assert "restored from last night's backup" in of(rollout).reason
    strict.act("resume", rollout)
    strict.until(rollout, "waiting_promotion", "draining", seconds=60)
    assert strict.machines["gw-1"].machine.weights() == {1: 100}


def test_plans_that_drain_there_are_closed_beside_the_one_at_work(strict: Fleet) -> None:
    older = drains(strict)
    strict.release = make_release("1.3.0-3", "1.3.0", counter=1003001)
    younger = strict.started()
    strict.turn(5)
    assert (of(older).state, of(younger).state) == (U.DRAINING, U.OBSERVING)
    ahead(strict)
    call_command("believe", "gw-1", why="restored from last night's backup")
    assert [(of(one).state, of(one).busy) for one in (older, younger)] == [(U.SKIPPED, False)] * 2
    older.refresh_from_db()
    assert older.state == "held"


def test_it_must_answer_and_it_must_be_said_why(strict: Fleet) -> None:
    strict.machines["gw-1"].faults.unreachable = True
    for name, why, sentence in (
        ("gw-9", "because", "no gateway gw-9"),
        ("gw-1", " ", "Say why gw-1"),
        ("gw-1", "because", "does not answer"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("believe", name, why=why)
