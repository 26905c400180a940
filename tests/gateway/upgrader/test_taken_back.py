"""Bad days while new users are steered to the new slot: who was there stays, and the way back is open."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from fleet import gateways
from fleet.gateways import dial
from lab import faults
from tests.db.upgrader.world import NEW, OLD
from tests.gateway.ocgate.door import Door
from tests.gateway.ocgate.guests import sign_in
from tests.gateway.upgrader.world import RealFleet, Users
from upgrader import services, strategy
from upgrader.models import Budget, Rollout


def observed(fleet: RealFleet) -> Rollout:
    """A rollout whose gateway carries all new users, seen once since."""
    fleet.take()
    rollout = fleet.started()
    fleet.go_to_step(rollout, "observe")
    fleet.once()
    return rollout


def states(fleet: RealFleet) -> dict[int, tuple[str, str]]:
    """Slot → state and release, as the gateway says now."""
    assert fleet.look()
    return {slot["slot"]: (slot["state"], slot["release"]) for slot in fleet.row.facts["slots"]}


@pytest.fixture
def stuffed(fleet: RealFleet) -> Iterator[None]:
    """Not a byte is free under /var/lib/ocgate, in the middle of an observation."""
    fleet.machine.run(["sh", "-c", "until [ -e /var/lib/ocgate/spare ]; do sleep 0.1; done"])
    yield
    fleet.machine.run(["rm", "-f", "/var/lib/ocgate/filler"])


def test_a_disk_that_fills_up_does_not_stop_a_rollback(fleet: RealFleet, users: Users, stuffed: None) -> None:
    rollout = observed(fleet)
    fleet.machine.run(["sh", "-c", "cat /dev/zero > /var/lib/ocgate/filler || true"])
    fleet.act("roll_back", rollout)
    fleet.go(rollout, "rolled_back")
    assert fleet.upgrade(rollout).kept == 2
    users.assert_unhurt()
    fleet.work_until(lambda: states(fleet)[2] == ("idle", ""), what="The end of the new slot")


def test_a_rollback_that_two_people_order(fleet: RealFleet, users: Users) -> None:
    Budget.objects.update(rollback_gateways=0)
    rollout = observed(fleet)
    fleet.act("roll_back", rollout, reason="Logins hang.")
    assert (rollout.state, newcomer(fleet, 235)) == ("held", 2)
    request = rollout.back_request
    assert request is not None
    who, said = fleet.who(fleet.cal), "Seen it."
    services.decide_back(rollout, yes=True, reason=said, digest=request.digest, actor=who, now=fleet.now())
    fleet.go(rollout, "rolled_back")
    assert (fleet.upgrade(rollout).kept, rollout.reason.endswith("Why: Logins hang.")) == (2, True)
    users.assert_unhurt()
    assert newcomer(fleet, 234) == 1


def test_an_ocserv_that_starts_and_dies(fleet: RealFleet, users: Users) -> None:
    fleet.take(folder=fleet.lab.bad_release("dies"))
    rollout = fleet.go(fleet.started(), "rolled_back", "held")
    page = fleet.page(rollout)
    assert "1.3.0-2+dies ended by itself in slot 2 of gw1" in page or "1.3.0-2+dies restarted" in page
    if rollout.state == "held":
        fleet.act("roll_back", rollout)
        fleet.go(rollout, "rolled_back")
    users.assert_unhurt()
    # It is not started again and again behind our backs, and its slot is free for the next release.
    fleet.work_until(lambda: states(fleet)[2] == ("idle", ""), what="The end of the new slot")
    assert states(fleet)[1] == ("serving", OLD)
    assert fleet.upgrade(rollout).snapshot


def test_clocks_that_differ_by_an_hour(fleet: RealFleet, users: Users) -> None:
    with faults.clock_off(fleet.machine, 3600):
        gateways.close_all()
        rollout = fleet.go(observed(fleet), "draining")
        fleet.row.refresh_from_db()
        # An answer that was long under way makes it seem to be less.
        said = re.match(r"The clock of gw1 is (\d+) s ahead of ours. Trials are counted in", fleet.row.state_reason)
        assert said
        assert 3500 < int(said.group(1)) <= 3600
        users.assert_unhurt()
        fleet.act("roll_back", rollout)
        fleet.go(rollout, "rolled_back")
    assert "gw1 serves 1.1.6-3 again" in rollout_steps(rollout)
    users.assert_unhurt()


def rollout_steps(rollout: Rollout) -> str:
    """What the steps said, one after the other."""
    steps = [step for wave in rollout.waves.all() for upgrade in wave.upgrades.all() for step in upgrade.steps.all()]
    return " ".join(str(step.result.get("say", "")) for step in steps)


def test_an_operators_edit_while_it_is_observed(fleet: RealFleet, users: Users) -> None:
    rollout = observed(fleet)
    faults.edit_ocserv_conf(fleet.machine)
    try:
        fleet.go(rollout, "draining")
        fleet.row.refresh_from_db()
        assert fleet.row.facts["conf"]["changed"]
        users.assert_unhurt()
        fleet.act("roll_back", rollout)
        fleet.go(rollout, "rolled_back")
    finally:
        faults.edit_ocserv_conf(fleet.machine, "dpd = 60", "dpd = 90")
    users.assert_unhurt()


def test_cut_off_between_shift_and_commit(fleet: RealFleet, users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(strategy, "TRIAL_LEAST", 10)
    fleet.arm(seconds=20)
    rollout = observed(fleet)
    with faults.cut_off(fleet.machine), Door(fleet.machine) as door:
        assert newcomer(fleet, 230) == 2
        fleet.work_until(lambda: door.ask("facts")["trial"] is None, what="The end of the trial")
        assert newcomer(fleet, 231) == 1
        users.assert_unhurt()
    fleet.go(rollout, "rolled_back")
    said = f"gw1 heard nothing from us for 20 s and went back to {OLD} by itself, as agreed; no session was touched."
    assert said in fleet.page(rollout)
    users.assert_unhurt()


def newcomer(fleet: RealFleet, host: int) -> int:
    """The slot on which somebody new arrives."""
    guest = sign_in(fleet.lab, fleet.machine, host)
    slot: int = next(session["slot"] for session in fleet.machine.sessions() if session["user"] == "guest1")
    guest.stop()
    return slot


def test_a_reboot_while_the_old_slot_drains(fleet: RealFleet, users: Users) -> None:
    rollout = fleet.go(observed(fleet), "draining")
    fleet.work_until(lambda: fleet.upgrade(rollout).steps.get(name="drain").result, what="A look at the old slot")
    fleet.machine.reboot()
    fleet.go(rollout, "done")
    assert states(fleet)[2] == ("serving", NEW), "the committed slot serves after the boot"
    said = "Slot 1 of gw1 ended by a reboot or a crash with 2 users on it. Their sessions are lost; they sign in anew."
    assert said in rollout_steps(rollout)
    assert (fleet.upgrade(rollout).kept, len(fleet.upgrade(rollout).before)) == (0, 2)
    assert newcomer(fleet, 233) == 2


def test_a_reboot_in_the_middle(fleet: RealFleet, users: Users) -> None:
    rollout = observed(fleet)
    fleet.machine.reboot()
    fleet.go(rollout, "rolled_back")
    said = "gw1 rebooted, and every session on it ended with that, 2 sessions from before the rollout among them."
    assert f"{said} It serves {OLD} again; its users sign in anew." in fleet.page(rollout)
    assert (fleet.upgrade(rollout).kept, len(fleet.upgrade(rollout).before)) == (0, 2)
    assert states(fleet)[1] == ("serving", OLD)
    assert states(fleet)[2] == ("idle", "")
    users.sit_down()
    assert newcomer(fleet, 232) == 1
    assert NEW in {release["release"] for release in fleet.row.facts["releases"]}
