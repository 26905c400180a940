"""A rollout keeps asking whether its release may still be used: yank, signers, channel, downgrade."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from approvals.models import Actor
from fleet.models import Gateway
from releases import downgrades
from releases import services as releases
from releases.models import Downgrade, Release
from tests.db.fleet.test_rotation import everywhere
from tests.db.upgrader.world import NEW, OLD, Fleet, make_release
from upgrader import run, services
from upgrader.models import Rollout, StepRun

LIBRARIAN = Actor.machine("test")


def yank(fleet: Fleet) -> None:
    releases.yank(fleet.release, reason="It leaks memory", actor=LIBRARIAN, now=fleet.now())


def approve(fleet: Fleet, rollout: Rollout, reason: str) -> None:
    cal, digest = fleet.who(fleet.cal), rollout.digest
    services.decide(rollout, yes=True, reason=reason, digest=digest, actor=cal, now=fleet.now())


@pytest.mark.parametrize("step", ["preflight", "stage", "check", "start", "probe", "shift", "commit"])
def test_no_step_begins_with_a_withdrawn_release(fleet: Fleet, step: str) -> None:
    rollout = fleet.started()
    due = fleet.due_step(step)
    yank(fleet)
    # A message that names the step may come before the clock: it must not begin either.
    assert run.run_step(due.pk, opener=fleet.opener, clock=fleet.now) == []
    due.refresh_from_db()
    rollout.refresh_from_db()
    assert (due.state, due.attempts, rollout.state) == ("due", 0, "held")
    assert rollout.reason == "1.3.0-2 was withdrawn: It leaks memory. Choose another release."


def test_the_clock_holds_it_and_going_back_stays_possible(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    yank(fleet)
    fleet.work()
    rollout.refresh_from_db()
    assert rollout.state == "held"
    with pytest.raises(Refused, match="was withdrawn: It leaks memory"):
        fleet.act("resume", rollout)
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back")
    serving = [gateway.machine.steering.committed for gateway in fleet.machines.values()]
    assert {place.release for place in serving if place} == {OLD}


def test_a_held_rollout_begins_nothing_by_a_late_message(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.until_step(rollout, "start")
    fleet.act("hold", rollout)
    due = StepRun.objects.get(state="due", name="start")
    assert run.run_step(due.pk, opener=fleet.opener, clock=fleet.now) == []
    due.refresh_from_db()
    assert due.state == "due"


def test_neither_planned_nor_approved_nor_resumed_below_its_channel(fleet: Fleet) -> None:
    rollout = fleet.draft()
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    Release.objects.filter(name=NEW).update(channel="candidate")
    rollout.refresh_from_db()
    with pytest.raises(Refused, match="is in the channel candidate; this pool takes releases of production"):
        approve(fleet, rollout, "")
    with pytest.raises(Refused, match="is in the channel candidate"):
        fleet.draft()


def give_word(fleet: Fleet) -> None:
    """The word downgrade, drawn by ola and signed; the signature itself is a question for ssh-keygen."""
    everywhere(fleet.ola, downgrades.ASK)
    row = downgrades.draw(fleet.release, by=fleet.ola, actor=fleet.who(fleet.ola), now=fleet.now())
    assert "No approver has signed it yet." in downgrades.missing(fleet.release, now=fleet.now())
    Downgrade.objects.filter(pk=row.pk).update(signatures=[{"name": "cal.sig", "text": "signed"}])
    assert downgrades.missing(fleet.release, now=fleet.now()) == ""


class TestDowngrade:
    def test_it_is_named_and_wants_its_word(self, fleet: Fleet) -> None:
        make_release(OLD, "1.1.6", counter=2_000_000)
        rollout = fleet.draft()
        assert rollout.plan["downgrade"] == ["gw-1", "gw-2", "gw-3"]
        services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
        rollout.refresh_from_db()
        for reason in ("", "as planned"):
            with pytest.raises(Refused, match="This is a downgrade for 3 gateways: gw-1, gw-2 and gw-3"):
                approve(fleet, rollout, reason)
        approve(fleet, rollout, "This Downgrade is wanted")
        rollout.refresh_from_db()
        assert rollout.state == "upgrading"

    def test_without_the_signed_word_it_stops_with_the_way_on_and_goes_on_with_it(self, fleet: Fleet) -> None:
        for machine in (gateway.machine for gateway in fleet.machines.values()):
            machine.holdings.counter, machine.holdings.pins.approvers = 9_000_000, ["SHA256:cal"]
        Gateway.objects.update(facts={"counter": 9_000_000})
        rollout = fleet.draft()
        services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
        rollout.refresh_from_db()
        approve(fleet, rollout, "This downgrade is wanted")
        fleet.until(rollout, "held")
        assert "has run 9000000. Have the downgrade approved. Draw its statement" in rollout.reason
        assert rollout.reason.endswith("then resume.")
        assert fleet.machines["gw-1"].machine.effects["stage"] == 0
        give_word(fleet)
        fleet.act("resume", rollout)
        fleet.until(rollout, "waiting_promotion")

    def test_what_a_gateway_said_it_has_run_counts_most(self, fleet: Fleet) -> None:
        Gateway.objects.filter(name="gw-2").update(facts={"counter": 1_003_001})
        assert fleet.draft().plan["downgrade"] == ["gw-2"]

    def test_going_back_to_what_ran_is_none(self, fleet: Fleet) -> None:
        said = {"counter": 9_000_000, "previous": {"slot": 1, "release": NEW}}
        Gateway.objects.update(facts=said)
        assert fleet.draft().plan["downgrade"] == []

    def test_one_that_became_one_since_holds_the_rollout(self, fleet: Fleet) -> None:
        rollout = fleet.until(fleet.started(), "waiting_promotion")
        Gateway.objects.filter(release=OLD).update(facts={"counter": 9_000_000})
        with pytest.raises(Refused, match="this would be a downgrade that nobody approved"):
            fleet.act("promote", rollout)
