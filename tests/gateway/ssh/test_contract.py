"""What every adapter of fleet.ports.Gateway promises, asked of the one in memory and of the one over SSH."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from fleet.errors import GiveUp, RetryLater
from fleet.ports import SlotRelease
from tests.gateway.ssh.conftest import NEW, OLD, Site


def code(failure: pytest.ExceptionInfo[Any]) -> str:
    return str(failure.value.code)


def test_facts_say_what_serves(site: Site) -> None:
    facts = site.gateway.facts()
    assert facts.committed == SlotRelease(1, OLD)
    assert facts.weights == {1: 100}
    assert [slot.state for slot in facts.slots] == ["serving", "idle", "idle"]
    assert (facts.now, facts.trial, facts.previous) == (site.clock.now, None, None)
    assert facts.raw["disk"]["free"] == facts.disk_free


def test_staging_twice_unpacks_once(site: Site) -> None:
    told: list[tuple[str, int, int]] = []
    first = site.gateway.stage(site.files(), fence=1, progress=lambda *step: told.append(step))
    second = site.gateway.stage(site.files(), fence=2, progress=lambda *_: None)
    assert (first.already, second.already) == (False, True)
    assert first.digest == second.digest == site.files().digest
    assert told[-1] == ("bundle", 1000, 1000)
    assert site.real.effects == {"stage": 1}


def test_another_release_of_the_same_name_is_refused(site: Site) -> None:
    site.gateway.stage(site.files(), fence=1, progress=lambda *_: None)
    with pytest.raises(GiveUp) as no:
        site.gateway.stage(site.files(text="other"), fence=1, progress=lambda *_: None)
    assert code(no) == "release_differs"


def test_a_full_disk_is_a_no(site: Site) -> None:
    site.real.faults.disk_full = True
    with pytest.raises(GiveUp, match="1 MB free") as no:
        site.gateway.stage(site.files(), fence=1, progress=lambda *_: None)
    assert code(no) == "not_enough_disk"
    assert site.real.effects == {}


def test_check_finds_what_is_in_the_way(site: Site) -> None:
    site.gateway.stage(site.files(), fence=1, progress=lambda *_: None)
    assert site.gateway.check(NEW, 2).ok
    site.real.faults.conf_changed = True
    checked = site.gateway.check(NEW, 1)
    assert not checked.ok
    assert [finding.code for finding in checked.findings] == ["slot_busy", "conf_changed"]


def test_starting_twice_starts_once(site: Site) -> None:
    site.gateway.stage(site.files(), fence=1, progress=lambda *_: None)
    first, second = (site.gateway.start(NEW, 2, fence=fence) for fence in (1, 2))
    assert (first.already, second.already) == (False, True)
    assert first.pid == second.pid
    assert (first.release, first.version) == (NEW, "1.3.0")
    assert site.real.effects == {"stage": 1, "start": 1}


@pytest.mark.parametrize(
    ("release", "slot", "wanted"), [("9.9", 2, "unknown_release"), (NEW, 1, "slot_busy"), (NEW, 7, "slot_unknown")]
)
def test_a_start_that_can_not_be_is_a_no(site: Site, release: str, slot: int, wanted: str) -> None:
    site.gateway.stage(site.files(), fence=1, progress=lambda *_: None)
    with pytest.raises(GiveUp) as no:
        site.gateway.start(release, slot, fence=1)
    assert code(no) == wanted


def test_a_release_that_ends_at_once_leaves_a_failed_slot(site: Site) -> None:
    site.real.faults.start_failed = {NEW}
    with pytest.raises(GiveUp) as no:
        site.ready()
    assert code(no) == "start_failed"
    assert [slot.state for slot in site.gateway.facts().slots] == ["serving", "failed", "idle"]


def test_a_shift_moves_new_users_only(site: Site) -> None:
    ann = site.real.sign_in("ann", remote="198.19.0.1")
    site.ready()
    shifted = site.gateway.shift({1: 0, 2: 100}, seconds=60, fence=1)
    bob = site.real.sign_in("bob", remote="198.19.0.2")
    assert ann
    assert bob
    assert {session.id: session.slot for session in site.gateway.sessions()} == {ann.id: 1, bob.id: 2}
    assert (shifted.weights[2], shifted.until, shifted.already) == (100, site.clock.now + 60, False)
    assert [slot.state for slot in site.gateway.facts().slots] == ["draining", "serving", "idle"]


def test_a_trial_ends_by_itself(site: Site) -> None:
    site.ready()
    site.gateway.shift({1: 75, 2: 25}, seconds=60, fence=1)
    site.clock.now += 59
    trial = site.gateway.facts().trial
    assert trial is not None
    assert trial.weights == {1: 75, 2: 25}
    site.clock.now += 2
    facts = site.gateway.facts()
    assert (facts.trial, facts.weights) == (None, {1: 100})


def test_the_same_shift_again_renews_the_trial(site: Site) -> None:
    site.ready()
    site.gateway.shift({1: 75, 2: 25}, seconds=60, fence=1)
    site.clock.now += 50
    assert site.gateway.shift({1: 75, 2: 25}, seconds=60, fence=2).already
    site.clock.now += 50
    assert site.gateway.facts().trial is not None
    assert site.real.effects["shift"] == 1


@pytest.mark.parametrize(("weights", "wanted"), [({1: 50, 2: 40}, "bad_request"), ({1: 50, 3: 50}, "slot_not_running")])
def test_a_shift_that_can_not_be_is_a_no(site: Site, weights: dict[int, int], wanted: str) -> None:
    site.ready()
    with pytest.raises(GiveUp) as no:
        site.gateway.shift(weights, seconds=60, fence=1)
    assert code(no) == wanted
    assert site.gateway.facts().weights == {1: 100}


def test_a_commit_outlives_the_trial(site: Site) -> None:
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    assert [site.gateway.commit(2, fence=fence) for fence in (1, 2)] == [False, True]
    site.clock.now += 1000
    facts = site.gateway.facts()
    assert (facts.committed, facts.previous) == (SlotRelease(2, NEW), SlotRelease(1, OLD))
    assert facts.weights == {2: 100}
    assert site.real.effects["commit"] == 1


def test_restore_ends_the_trial_once(site: Site) -> None:
    site.ready()
    site.gateway.shift({2: 100}, seconds=600, fence=1)
    first, second = (site.gateway.restore("committed", fence=fence) for fence in (2, 3))
    assert (first.slot, first.release, first.started, first.already) == (1, OLD, False, False)
    assert second.already
    assert site.gateway.facts().weights == {1: 100}
    assert site.real.effects["restore"] == 1


def test_restore_to_the_previous_does_not_come_back(site: Site) -> None:
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    first, second = (site.gateway.restore("previous", fence=fence) for fence in (2, 3))
    assert (first.release, first.already, second.release, second.already) == (OLD, False, OLD, True)
    assert site.gateway.facts().committed == SlotRelease(1, OLD)


def test_restore_starts_what_was_retired(site: Site) -> None:
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    site.gateway.retire(1, cut_at_most=0, fence=1)
    assert site.gateway.restore("previous", fence=2).started
    assert site.gateway.facts().committed == SlotRelease(1, OLD)


def test_restore_without_a_previous_is_a_no(site: Site) -> None:
    with pytest.raises(GiveUp) as no:
        site.gateway.restore("previous", fence=1)
    assert code(no) == "nothing_to_restore"


def test_retire_cuts_only_what_is_allowed(site: Site) -> None:
    ann = site.real.sign_in("ann", remote="198.19.0.1")
    assert ann
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    with pytest.raises(GiveUp, match="has 1 users") as no:
        site.gateway.retire(1, cut_at_most=0, fence=1)
    assert code(no) == "has_sessions"
    assert site.gateway.retire(1, cut_at_most=1, fence=1).cut == ((ann.id, "ann"),)
    assert site.gateway.retire(1, cut_at_most=1, fence=1).already
    assert site.real.effects["retire"] == 1


def test_the_slot_in_use_is_not_retired(site: Site) -> None:
    with pytest.raises(GiveUp) as no:
        site.gateway.retire(1, cut_at_most=99, fence=1)
    assert code(no) == "slot_busy"


@pytest.mark.parametrize("verb", ["stage", "start", "shift", "commit", "retire", "restore"])
def test_a_lower_fence_is_refused(site: Site, verb: str) -> None:
    site.ready()
    site.gateway.commit(1, fence=7)
    before = site.real.effects
    calls: dict[str, Callable[[], object]] = {
        "stage": lambda: site.gateway.stage(site.files("2.0"), fence=6, progress=lambda *_: None),
        "start": lambda: site.gateway.start(NEW, 3, fence=6),
        "shift": lambda: site.gateway.shift({2: 100}, seconds=60, fence=6),
        "commit": lambda: site.gateway.commit(2, fence=6),
        "retire": lambda: site.gateway.retire(2, cut_at_most=0, fence=6),
        "restore": lambda: site.gateway.restore("committed", fence=6),
    }
    with pytest.raises(GiveUp) as no:
        calls[verb]()
    assert code(no) == "fence_too_low"
    assert site.real.effects == before
    assert site.gateway.facts().fence == 7


def test_drain_counts_who_is_left(site: Site) -> None:
    site.real.sign_in("ann", remote="198.19.0.1")
    site.clock.now += 90
    site.real.sign_in("bob", remote="198.19.0.2")
    left = site.gateway.drain(1)
    assert (left.sessions, left.oldest_seconds) == (2, 90)
    assert site.gateway.drain(2).sessions == 0


def test_logins_are_counted_where_they_happen(site: Site) -> None:
    site.real.faults.bad_logins_after = {NEW: 1}
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    for number in range(3):
        site.real.sign_in(f"user{number}", remote=f"198.19.0.{number}")
    counted = {slot.slot: (slot.logins, slot.auth_failures, slot.sessions) for slot in site.gateway.metrics()}
    assert counted == {1: (0, 0, 0), 2: (1, 2, 1)}


def test_a_probe_is_a_login(site: Site) -> None:
    assert site.gateway.probe(1, user="probe", password="right").ok
    refused = site.gateway.probe(1, user="probe", password="")
    assert (refused.ok, refused.stage) == (False, "password")
    with pytest.raises(GiveUp) as no:
        site.gateway.probe(3, user="probe", password="right")
    assert code(no) == "slot_not_running"


def test_a_slot_that_dies_takes_its_users_along(site: Site) -> None:
    site.real.faults.dies_after = {NEW: 5.0}
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.real.sign_in("ann", remote="198.19.0.1")
    site.clock.now += 6
    slot = site.gateway.facts().slots[1]
    assert (slot.state, slot.restarts, slot.sessions) == ("failed", 1, 0)
    assert [session.user for session in site.real.machine.cut] == ["ann"]


def test_no_answer_is_not_a_no(site: Site) -> None:
    site.real.faults.unreachable = True
    with pytest.raises(RetryLater) as later:
        site.gateway.metrics()
    assert code(later) == "unreachable"


def test_a_lost_answer_did_happen(site: Site) -> None:
    site.ready()
    site.real.faults.lose_answers = 1
    with pytest.raises(RetryLater):
        site.gateway.shift({2: 100}, seconds=60, fence=1)
    assert site.gateway.shift({2: 100}, seconds=60, fence=2).already


def test_a_reboot_ends_the_trial_and_keeps_the_commit(site: Site) -> None:
    site.ready()
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    site.gateway.start(OLD, 3, fence=1)
    site.gateway.shift({3: 100}, seconds=600, fence=1)
    before = site.gateway.facts().boot_id
    site.real.reboot()
    facts = site.gateway.facts()
    assert facts.boot_id != before
    assert (facts.weights, facts.trial) == ({2: 100}, None)
    assert [slot.state for slot in facts.slots] == ["idle", "serving", "idle"]


def test_a_snapshot_is_an_archive(site: Site) -> None:
    archive = site.gateway.snapshot()
    assert hashlib.sha256(archive.data).hexdigest() == archive.sha256
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as tar:
        assert tuple(tar.getnames()) == archive.files
