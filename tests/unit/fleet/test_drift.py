"""Each part that can drift, and what is no drift."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.drift import PARTS, Agreed, Difference, compare, trees_of, trees_shown, trust_shown
from fleet.inventory import ConfFile, HeldRelease, Inventory, Pinned, PinnedCa, SlotProgram

OLD, NEW = "1.1.6-3", "1.3.0-2"
EXE = f"/var/lib/ocgate/releases/{OLD}/sbin/ocserv"
A, B, C = "a" * 64, "b" * 64, "c" * 64
WELL = Inventory(
    at=1000.0,
    ocgate_version="0.2.0",
    ocgate_sha256=A,
    trust=Pinned(serial=3, sha256=A, threshold=2, signers=("9F6A", "77BC"), approvers=("SHA256:ola",)),
    conf=ConfFile("/etc/ocserv/ocserv.conf", A, A),
    releases=(HeldRelease(OLD, A, A, 1),),
    slots=(SlotProgram(1, OLD, "1.1.6", EXE),),
    authorized_keys_sha256=A,
    counter=1,
)
AGREED = Agreed(
    confs=frozenset({A}),
    trees={OLD: A},
    digests={OLD: A},
    committed=OLD,
    ocgates=frozenset({A}),
    trust=A,
    trust_shown=trust_shown(WELL.trust),
    keys=A,
)
EDITED = ConfFile("/etc/ocserv/ocserv.conf", B, A, diff="--- a\n+++ b\n@@ -1 +1 @@\n-dpd = 60\n+dpd = 90\n")
WEAKER = replace(WELL.trust, sha256=B, threshold=1, signers=("9F6A",), cas=(PinnedCa("CN=Evil", "00", "2027-01-01"),))


def differences(there: Inventory, agreed: Agreed = AGREED, committed: str = OLD) -> list[Difference]:
    return compare("fra-gw-01", there, agreed, committed=committed)


def test_a_gateway_as_agreed_has_no_difference() -> None:
    assert differences(WELL) == []


def test_where_nothing_is_agreed_nothing_is_judged() -> None:
    assert differences(WELL, Agreed()) == []


@pytest.mark.parametrize(
    ("code", "there", "now", "word"),
    [
        ("conf", replace(WELL, conf=EDITED), B, "was edited after it was agreed"),
        ("conf", replace(WELL, conf=ConfFile("/etc/ocserv/ocserv.conf", "", A)), "", "is gone"),
        ("agreed", replace(WELL, conf=ConfFile("/etc/ocserv/ocserv.conf", B, B)), B, "nobody has agreed"),
        ("release", replace(WELL, releases=(HeldRelease(OLD, A, B, 1),)), f"{OLD} {B}", "not those that were signed"),
        ("release", replace(WELL, releases=(HeldRelease(OLD, B, A, 1),)), f"{OLD} {A}", "not those that were signed"),
        ("program", replace(WELL, slots=(SlotProgram(1, OLD, "1.1.6", EXE, True),)), f"1:{EXE}", "replaced or removed"),
        ("program", replace(WELL, slots=(SlotProgram(1, OLD, "1", "/tmp/ocserv"),)), "1:/tmp/ocserv", "should run"),
        ("ocgate", replace(WELL, ocgate_sha256=B), B, "neither this controller's"),
        ("trust", replace(WELL, trust=WEAKER), B, "not by a statement from here"),
        ("keys", replace(WELL, authorized_keys_sha256=B), B, "may sign in"),
    ],
)
def test_each_part_is_told_with_what_is_there(code: str, there: Inventory, now: str, word: str) -> None:
    (found,) = differences(there)
    assert (found.code, found.now) == (code, now)
    assert word in found.say
    assert "fra-gw-01" in found.say
    assert code in PARTS


def test_another_committed_release_is_told() -> None:
    (found,) = differences(WELL, committed=NEW)
    assert found.say == f"fra-gw-01 serves {NEW}; what was rolled out to it last is {OLD}."


def test_the_gateways_own_masked_difference_is_carried() -> None:
    assert differences(replace(WELL, conf=EDITED))[0].diff == EDITED.diff


def test_who_was_pinned_is_told_line_by_line() -> None:
    diff = differences(replace(WELL, trust=WEAKER))[0].diff
    assert "-threshold 2" in diff
    assert "-OpenPGP 77BC" in diff
    assert "+company CA CN=Evil 00" in diff


def test_a_part_that_an_errand_is_changing_is_late_not_drifted() -> None:
    assert differences(replace(WELL, trust=WEAKER), replace(AGREED, changing=frozenset({"trust"}))) == []


def test_the_ocserv_that_ran_before_is_no_wrong_program() -> None:
    assert differences(replace(WELL, slots=(SlotProgram(1, "adopted", "1.1.6", "/usr/sbin/ocserv"),))) == []


def test_a_release_that_came_since_is_no_drift() -> None:
    assert differences(replace(WELL, releases=(*WELL.releases, HeldRelease(NEW, B, B, 2)))) == []


def test_what_is_adopted_is_bound_by_the_hash_that_is_there() -> None:
    assert differences(replace(WELL, ocgate_sha256=B))[0].sha256 == B
    one, other = (differences(replace(WELL, releases=(HeldRelease(OLD, A, tree, 1),)))[0].sha256 for tree in (B, C))
    assert len(one) == 64
    assert one != other


def test_trees_are_read_back() -> None:
    assert trees_of(trees_shown(WELL)) == {OLD: A}
