"""The main job on gateways in memory: out wave by wave, back by itself, and every way to stop it."""

from __future__ import annotations

from typing import Any

import pytest

from approvals import audit
from approvals.models import AuditEvent
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import journal, services
from upgrader.models import Rollout, StepRun, Verdict
from upgrader.states import R, U


def committed(fleet: Fleet) -> list[str]:
    places = [gateway.machine.steering.committed for gateway in fleet.machines.values()]
    return [place.release if place else "" for place in places]


def finish(fleet: Fleet) -> Rollout:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.act("promote", rollout)
    return fleet.until(rollout, "draining")


def test_a_good_release_goes_out_wave_by_wave_and_keeps_every_session(fleet: Fleet) -> None:
    rollout = finish(fleet)
    assert committed(fleet) == [NEW] * 3
    assert [(u.kept, len(u.before)) for u in fleet.upgrades(rollout)] == [(4, 4)] * 3
    assert [gateway.machine.cut for gateway in fleet.machines.values()] == [[], [], []]


def test_old_slots_are_retired_when_their_users_have_left(fleet: Fleet) -> None:
    rollout = finish(fleet)
    fleet.turn(10)
    assert {u.state for u in fleet.upgrades(rollout)} == {U.DRAINING}
    fleet.sign_out_all()
    fleet.until(rollout, "done")
    assert all(not gateway.machine.slots[1].running for gateway in fleet.machines.values())


def test_the_first_wave_takes_a_quarter_and_then_all(fleet: Fleet) -> None:
    rollout = fleet.started()
    shares = set()
    for _ in range(60):
        fleet.turn(1)
        shares |= {tuple(sorted(gateway.machine.weights().items())) for gateway in fleet.machines.values()}
    rollout.refresh_from_db()
    assert rollout.state == "waiting_promotion"
    assert shares == {((1, 100),), ((1, 75), (2, 25)), ((2, 100),)}


def test_wave_two_waits_for_a_person(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.turn(120)
    assert committed(fleet).count(NEW) == 1
    assert "Wave 2 waits for a person" in rollout.reason


def test_a_bad_release_goes_back_by_itself_and_nobody_is_cut(fleet: Fleet) -> None:
    for gateway in fleet.machines.values():
        gateway.faults.bad_logins_after[NEW] = 3
    rollout = fleet.until(fleet.started(), "rolled_back", seconds=90)
    assert committed(fleet) == [OLD] * 3
    assert [gateway.machine.cut for gateway in fleet.machines.values()] == [[], [], []]
    final = Verdict.objects.get(wave__rollout=rollout, final=True)
    assert final.outcome == "fail"
    assert "logins failed on 1.3.0-2" in final.sentence
    first = fleet.upgrades(rollout)[0]
    assert first.kept == len(first.before) == 4
    assert first.snapshot


def test_a_lost_race_leaves_no_final_verdict(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for gateway in fleet.machines.values():
        gateway.faults.bad_logins_after[NEW] = 3
    usual = journal.move
    lost: list[str] = []

    def move(changes: list[journal.Change], **also: Any) -> list[StepRun]:
        if changes[0].to == R.ROLLING_BACK and not lost:
            lost.append(changes[0].reason)
            raise journal.LostRace("somebody was faster")
        return usual(changes, **also)

    monkeypatch.setattr(journal, "move", move)
    rollout = fleet.until(fleet.started(), "rolled_back", seconds=90)
    assert lost
    assert Verdict.objects.filter(wave__rollout=rollout, final=True).count() == 1


def test_who_signs_out_himself_is_neither_kept_nor_cut(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    chair = fleet.machines["gw-1"].machine.crowd.chairs[0]
    assert chair.session is not None
    gone, chair.session = chair.session, None
    fleet.machines["gw-1"].machine.sign_out(gone)
    fleet.until(rollout, "waiting_promotion")
    first = fleet.upgrades(rollout)[0]
    assert (len(first.before), first.kept, first.left) == (4, 3, [gone.id])


def test_hold_stops_going_on_and_keeps_the_trial_alive(fleet: Fleet) -> None:
    fleet.watch_for(20)
    rollout = fleet.started()
    fleet.turn(10)
    fleet.act("hold", rollout)
    fleet.turn(200)
    rollout.refresh_from_db()
    assert rollout.state == "held"
    assert {2: 25, 1: 75} in [dict(gateway.machine.weights()) for gateway in fleet.machines.values()]
    fleet.act("resume", rollout)
    fleet.until(rollout, "waiting_promotion")


def test_a_person_takes_it_back_from_the_middle(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.until(rollout, "rolled_back")
    assert committed(fleet) == [OLD] * 3


def test_a_done_rollout_can_be_taken_back_though_the_old_slots_are_gone(fleet: Fleet) -> None:
    rollout = finish(fleet)
    fleet.sign_out_all()
    fleet.until(rollout, "done")
    fleet.act("roll_back", rollout)
    request = rollout.back_request
    assert request is not None
    cal = fleet.who(fleet.cal)
    services.decide_back(rollout, yes=True, reason="seen", digest=request.digest, actor=cal, now=fleet.now())
    fleet.until(rollout, "rolled_back")
    assert committed(fleet) == [OLD] * 3


def test_everything_is_on_record_and_the_record_is_whole(fleet: Fleet) -> None:
    rollout = finish(fleet)
    assert audit.verify() is None
    about = AuditEvent.objects.filter(body__contains=f'"rollout":{rollout.pk}')
    assert about.filter(verb="step.done").count() == 3 * 7 + 1  # the canary shifts twice
    verbs = set(AuditEvent.objects.values_list("verb", flat=True))
    assert {"rollout.drafted", "rollout.moved", "wave.moved", "upgrade.moved"} <= verbs
