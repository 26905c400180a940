"""What every adapter promises of shifts that wait, gateways that can't steer, messages, and whom a drain still has."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.errors import GiveUp
from fleet.ports import Left, Replacement, SlotRelease
from tests.gateway.ssh.conftest import NEW, OLD, Site

INSTEAD = Replacement(NEW, cut_at_most=1, seconds=60)


def code(failure: pytest.ExceptionInfo[Any]) -> str:
    return str(failure.value.code)


def test_a_shift_waits_for_its_moment(site: Site) -> None:
    site.ready()
    weights: list[object] = []
    site.clock.meanwhile = lambda: weights.append(site.real.facts().weights)
    asked = site.clock.now
    shifted = site.gateway.shift({2: 100}, seconds=60, fence=1, after_ms=2000)
    assert weights == [{1: 100}]
    assert site.gateway.facts().weights == {2: 100}
    assert asked + 1 <= shifted.applied_at == shifted.until - 60


@pytest.mark.parametrize("what", ["shift", "commit", "restore"])
def test_what_steers_meanwhile_cancels_a_shift_that_waits(site: Site, what: str) -> None:
    site.ready()
    act = {
        "shift": lambda: site.real.shift({1: 100}, seconds=60, fence=1),
        "commit": lambda: site.real.commit(1, fence=1),
        "restore": lambda: site.real.restore("committed", fence=1),
    }
    site.clock.meanwhile = act[what]
    with pytest.raises(GiveUp) as no:
        site.gateway.shift({2: 100}, seconds=60, fence=1, after_ms=2000)
    assert code(no) == "superseded"
    assert site.gateway.facts().weights == {1: 100}


def test_the_fence_is_checked_when_the_moment_comes(site: Site) -> None:
    site.ready()
    site.clock.meanwhile = lambda: site.real.retire(3, cut_at_most=0, fence=9)
    with pytest.raises(GiveUp) as no:
        site.gateway.shift({2: 100}, seconds=60, fence=1, after_ms=2000)
    assert code(no) == "fence_too_low"
    assert site.gateway.facts().weights == {1: 100}


def test_a_commit_that_comes_too_late_is_refused(site: Site) -> None:
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.clock.now += 61
    with pytest.raises(GiveUp) as no:
        site.gateway.commit(2, fence=1)
    assert code(no) == "trial_over"
    assert site.gateway.facts().weights == {1: 100}


def front(site: Site) -> None:
    """A gateway that can't steer, with one user on it and the new release staged."""
    site.real.faults.no_nft = True
    site.gateway.stage(site.files(), fence=1, progress=lambda *_: None)
    site.real.sign_in("ann", remote="198.19.0.1")


def test_a_gateway_that_can_not_steer_says_so(site: Site) -> None:
    front(site)
    facts = site.gateway.facts()
    assert (facts.steers, facts.steers_why) == (False, "nft does not run here")
    assert "no_steering" in [finding.code for finding in site.gateway.check(NEW, 2).findings]
    for ask in (
        lambda: site.gateway.start(NEW, 2, fence=1),
        lambda: site.gateway.shift({1: 100}, seconds=60, fence=1),
    ):
        with pytest.raises(GiveUp) as no:
            ask()
        assert code(no) == "no_steering"


def test_a_gateway_that_steers_is_not_replaced_on(site: Site) -> None:
    site.gateway.stage(site.files(), fence=1, progress=lambda *_: None)
    with pytest.raises(GiveUp) as no:
        site.gateway.replace(INSTEAD, fence=1)
    assert code(no) == "steers"


def test_replacing_cuts_only_whom_it_may(site: Site) -> None:
    front(site)
    with pytest.raises(GiveUp, match="has 1 users") as no:
        site.gateway.replace(Replacement(NEW, cut_at_most=0, seconds=60), fence=1)
    assert code(no) == "has_sessions"
    done = site.gateway.replace(INSTEAD, fence=1)
    assert ([user for _, user in done.cut], done.slot, done.version, done.already) == (["ann"], 2, "1.3.0", False)
    assert done.until == site.clock.now + 60
    facts = site.gateway.facts()
    assert (facts.weights, facts.committed) == ({2: 100}, SlotRelease(1, OLD))
    assert [slot.state for slot in facts.slots] == ["idle", "serving", "idle"]


def test_a_replacement_that_is_not_committed_ends_by_itself(site: Site) -> None:
    front(site)
    site.gateway.replace(INSTEAD, fence=1)
    site.clock.now += 50
    assert site.gateway.replace(INSTEAD, fence=1).already
    site.clock.now += 50
    assert site.gateway.facts().weights == {2: 100}
    site.clock.now += 20
    facts = site.gateway.facts()
    assert (facts.weights, facts.trial) == ({1: 100}, None)
    assert [slot.state for slot in facts.slots] == ["serving", "idle", "idle"]


def test_a_replacement_is_committed_and_taken_back(site: Site) -> None:
    front(site)
    site.gateway.replace(INSTEAD, fence=1)
    assert not site.gateway.commit(2, fence=1)
    site.real.sign_in("bob", remote="198.19.0.2")
    back = site.gateway.restore("previous", fence=1)
    assert (back.slot, back.release, back.started, [user for _, user in back.cut]) == (1, OLD, True, ["bob"])
    assert site.gateway.restore("previous", fence=1).already
    assert site.gateway.facts().committed == SlotRelease(1, OLD)


def test_a_replacement_that_does_not_start_leaves_the_old_one_serving(site: Site) -> None:
    front(site)
    site.real.faults.start_failed = {NEW}
    with pytest.raises(GiveUp, match=f"{OLD} was started again") as no:
        site.gateway.replace(INSTEAD, fence=1)
    assert code(no) == "start_failed"
    assert site.gateway.facts().slots[0].state == "serving"


def test_a_message_is_set_once_and_ends_with_the_drain(site: Site) -> None:
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    assert [site.gateway.message(1, "Sign in again", fence=fence) for fence in (1, 2)] == [False, True]
    assert site.real.machine.slots[1].message == "Sign in again"
    site.gateway.restore("previous", fence=3)
    assert site.real.machine.slots[1].message == ""
    with pytest.raises(GiveUp) as no:
        site.gateway.message(3, "x", fence=3)
    assert code(no) == "slot_not_running"


def test_a_drain_names_users_to_those_who_ask(site: Site) -> None:
    ann = site.real.sign_in("ann", remote="198.19.0.1")
    assert ann
    assert site.gateway.drain(1).users == ()
    assert site.gateway.drain(1, names=True).users == (Left(ann.id, "ann", 0, ann.since, 0, 0),)
