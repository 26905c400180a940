"""A configuration on its way through the fleet: with a release, alone into the idle slot, or by a reload."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.errors import Refused
from fleet.gateways import simulated_conf
from fleet.gateways.holdings import CONF, sha256_of
from releases.models import ConfigRevision
from tests.db.upgrader.test_killed import arm, small
from tests.db.upgrader.world import NEW, OLD, Fleet, make_release
from upgrader import drafts, pages
from upgrader.plan import config_say

SOFT = CONF.replace("dpd = 60", "dpd = 90")
HARD = CONF + "sec-mod-scale = 2\n"


def files(fleet: Fleet) -> list[str]:
    """The operator's file of each gateway."""
    return [gateway.machine.holdings.conf for gateway in fleet.machines.values()]


def slots(fleet: Fleet) -> set[int]:
    """The committed slots."""
    committed = [gateway.facts().committed for gateway in fleet.machines.values()]
    return {place.slot for place in committed if place}


def same_release(fleet: Fleet) -> None:
    """Nothing but the configuration is new: the release is the one that serves."""
    fleet.release = make_release(OLD, "1.1.6", counter=1001006)
    for gateway in fleet.machines.values():
        gateway.machine.releases[OLD] = (fleet.release.digest, "1.1.6")


def signed(fleet: Fleet, text: str) -> ConfigRevision:
    """A revision beyond one person's word, agreed and signed; the signature itself is a question for ssh-keygen."""
    fleet.agreed(SOFT)
    row = fleet.agreed(text)
    ConfigRevision.objects.filter(pk=row.pk).update(state="agreed", signatures=[{"name": "cal.sig", "text": "signed"}])
    for gateway in fleet.machines.values():
        gateway.machine.holdings.pins.approvers = ["SHA256:cal"]
    row.refresh_from_db()
    return row


def steps(fleet: Fleet, rollout: Any) -> list[str]:
    return [step.name for step in fleet.upgrades(rollout)[0].steps.order_by("ordinal")]


def test_with_a_release_it_goes_into_the_idle_slot(fleet: Fleet) -> None:
    rollout = fleet.started(fleet.agreed(SOFT))
    assert (rollout.plan["config"]["way"], rollout.plan["config"]["changed"]) == ("restart", ["dpd"])
    fleet.until(rollout, "waiting_promotion")
    assert files(fleet) == [SOFT, CONF, CONF]
    fleet.act("promote", rollout)
    fleet.until(rollout, "draining", seconds=400)
    assert files(fleet) == [SOFT] * 3
    assert all(gateway.machine.cut == [] for gateway in fleet.machines.values())
    assert "configure" in steps(fleet, rollout)


def test_a_rollback_brings_the_old_one_back(fleet: Fleet) -> None:
    rollout = fleet.started(fleet.agreed(SOFT))
    fleet.until(rollout, "waiting_promotion")
    fleet.act("promote", rollout)
    fleet.until(rollout, "draining", seconds=400)
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=400)
    assert files(fleet) == [CONF] * 3
    facts = fleet.machines["gw-1"].facts()
    assert (facts.committed and facts.committed.release, facts.agreed_conf) == (OLD, sha256_of(CONF))


def test_a_failed_canary_leaves_the_file_as_it_was(fleet: Fleet) -> None:
    fleet.machines["gw-1"].faults.bad_logins_after[NEW] = 2
    rollout = fleet.until(fleet.started(fleet.agreed(SOFT)), "rolled_back", seconds=400)
    assert files(fleet) == [CONF] * 3
    assert rollout.reason


def test_alone_it_takes_the_idle_slot_when_a_reload_would_not_do(fleet: Fleet) -> None:
    same_release(fleet)
    rollout = fleet.started(signed(fleet, HARD))
    assert rollout.plan["config"]["way"] == "restart"
    fleet.until(rollout, "waiting_promotion")
    fleet.act("promote", rollout)
    fleet.until(rollout, "draining", seconds=400)
    assert files(fleet) == [HARD] * 3
    assert slots(fleet) == {2}
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=400)
    assert files(fleet) == [CONF] * 3
    assert slots(fleet) == {1}


def test_what_ocserv_can_reload_is_reloaded_and_taken_back_by_a_reload(fleet: Fleet) -> None:
    same_release(fleet)
    rollout = fleet.started(fleet.agreed(SOFT))
    assert (rollout.plan["config"]["way"], rollout.plan["waves"][0]["weights"]) == ("reload", [100])
    fleet.until(rollout, "waiting_promotion")
    fleet.act("promote", rollout)
    fleet.until(rollout, "done", seconds=400)
    assert steps(fleet, rollout) == ["preflight", "configure", "check", "reload", "observe", "commit"]
    assert files(fleet) == [SOFT] * 3
    machine = fleet.machines["gw-1"].machine
    assert (machine.effects["start"], machine.effects["reload"], machine.cut) == (0, 1, [])
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=400)
    assert files(fleet) == [CONF] * 3
    assert fleet.machines["gw-1"].facts().slots[0].conf == sha256_of(CONF)


def test_a_reload_that_is_watched_can_be_taken_back(fleet: Fleet) -> None:
    same_release(fleet)
    rollout = fleet.started(fleet.agreed(SOFT))
    fleet.until_step(rollout, "observe")
    fleet.turn(2)
    assert fleet.machines["gw-1"].facts().slots[0].conf == sha256_of(SOFT)
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=400)
    assert fleet.machines["gw-1"].facts().slots[0].conf == sha256_of(CONF)
    assert (files(fleet), fleet.machines["gw-1"].machine.cut) == ([CONF] * 3, [])


def reloading(fleet: Fleet) -> Any:
    """A rollout whose canary has read SOFT and is watched."""
    same_release(fleet)
    rollout = fleet.started(fleet.agreed(SOFT))
    fleet.until_step(rollout, "observe")
    fleet.turn(2)
    assert fleet.machines["gw-1"].facts().slots[0].conf == sha256_of(SOFT)
    return rollout


def test_a_reload_is_renewed_as_long_as_it_is_watched(fleet: Fleet) -> None:
    rollout = reloading(fleet)
    fleet.act("hold", rollout)
    fleet.turn(300)
    machine = fleet.machines["gw-1"].machine
    assert fleet.machines["gw-1"].facts().slots[0].conf == sha256_of(SOFT)
    assert (machine.effects["reload"], machine.effects["renew"] > 5) == (1, True)
    fleet.act("resume", rollout)
    fleet.until(rollout, "waiting_promotion", seconds=400)
    fleet.turn(300)
    assert (files(fleet), machine.slots[1].until) == ([SOFT, CONF, CONF], 0.0)


def test_without_us_a_reload_ends_by_itself_and_fails_the_wave(fleet: Fleet) -> None:
    rollout = reloading(fleet)
    fleet.machines["gw-1"].faults.unreachable = True
    fleet.turn(90)
    machine = fleet.machines["gw-1"].machine
    machine.advance(fleet.seconds)
    assert machine.slots[1].conf == sha256_of(CONF)
    machine.faults.unreachable = False
    fleet.until(rollout, "rolled_back", seconds=60)
    said = "gw-1 heard nothing from us for 60 s, and slot 1 went back to the configuration before by itself"
    assert said in rollout.reason
    assert (files(fleet), machine.effects["reload"], machine.cut) == ([CONF] * 3, 1, [])


def test_a_commit_that_comes_late_loads_it_again(fleet: Fleet) -> None:
    rollout = reloading(fleet)
    fleet.due_step("commit")
    fleet.seconds += 90
    machine = fleet.machines["gw-1"].machine
    machine.advance(fleet.seconds)
    assert machine.slots[1].conf == sha256_of(CONF)
    fleet.until(rollout, "waiting_promotion")
    assert (files(fleet), machine.cut) == ([SOFT, CONF, CONF], [])


def test_a_commit_that_agreed_to_another_is_not_taken_for_done(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout = reloading(fleet)
    monkeypatch.setattr(simulated_conf, "brought_by", lambda *_: "")
    fleet.until(rollout, "held")
    assert "gw-1 went back to the configuration before by itself" in rollout.reason
    monkeypatch.undo()
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=60)
    assert files(fleet) == [CONF] * 3


def test_a_gateway_that_has_it_is_left_out(fleet: Fleet) -> None:
    same_release(fleet)
    row = fleet.agreed(SOFT)
    for gateway in fleet.machines.values():
        gateway.machine.holdings.conf = gateway.machine.holdings.agreed = SOFT
    fleet.agreed(SOFT + "mtu = 1400\n")
    with pytest.raises(Refused, match="needs 1.1.6-3 with configuration 2"):
        fleet.draft(row)


def test_an_unsigned_one_is_not_planned_and_a_rejected_one_holds(fleet: Fleet) -> None:
    row = signed(fleet, HARD)
    ConfigRevision.objects.filter(pk=row.pk).update(signatures=[])
    row.refresh_from_db()
    with pytest.raises(Refused, match="No approver has signed"):
        fleet.draft(row)
    ConfigRevision.objects.filter(pk=row.pk).update(signatures=[{"name": "cal.sig", "text": "signed"}])
    row.refresh_from_db()
    rollout = fleet.started(row)
    fleet.until_step(rollout, "configure")
    ConfigRevision.objects.filter(pk=row.pk).update(state="rejected")
    fleet.turn(2)
    rollout.refresh_from_db()
    assert rollout.state == "held"
    assert "is not agreed" in rollout.reason


def test_the_draft_says_which_way_it_goes(fleet: Fleet) -> None:
    row = fleet.agreed(SOFT)
    ids = {"release": 0, "pool": 0, "strategy": 0, "config": row.pk}
    choice = drafts.choice(fleet.ola, ids, now=fleet.now())
    assert "Configuration 2 goes along and changes dpd. It goes into the free slot" in choice.effect
    assert choice.plan is not None
    assert pages.warnings(choice.plan) == [config_say(choice.plan)]
    assert config_say({}) == ""
    missing = drafts.choice(fleet.ola, {**ids, "config": 999}, now=fleet.now())
    assert "Choose another" in missing.refusal


FORWARD = [("restart", name) for name in ("configure", "check", "start", "commit", "retire")]
FORWARD += [("reload", name) for name in ("preflight", "configure", "check", "reload", "observe", "commit")]


@pytest.mark.parametrize("after", [False, True], ids=["before-effect", "after-effect"])
@pytest.mark.parametrize("at", FORWARD, ids=" ".join)
def test_a_killed_worker_does_nothing_twice(
    fleet: Fleet, at: tuple[str, str], after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, step = at
    if way == "reload":
        same_release(fleet)
    row = fleet.agreed(SOFT)
    effects = small(fleet)
    killer = arm(fleet, step, after=after, monkeypatch=monkeypatch)
    rollout = fleet.until(fleet.started(row), "draining", "done", seconds=400)
    fleet.sign_out_all()
    fleet.until(rollout, "done", seconds=400)
    once = ("configure", "commit", "reload") if way == "reload" else ("configure", "start", "commit", "retire")
    assert killer.left == 0
    assert {name: effects[name] for name in once} == dict.fromkeys(once, 1)
    assert (fleet.machines["gw-1"].machine.holdings.conf, fleet.machines["gw-1"].machine.cut) == (SOFT, [])
