"""What a question about a rollback binds: the exact gateways, and the number of users who may be cut on each."""

from __future__ import annotations

from dataclasses import replace

from upgrader.back import GoesBack, agreed_cuts, because, digest_of, more_than, summary_of

STEERED = GoesBack(id=1, name="gw-1", to="1.1.6-3", from_slot=1, to_slot=2, gone=False, cut=None, sessions=7)
IN_PLACE = replace(STEERED, id=2, name="gw-2", cut=5, sessions=5)
BOTH = (STEERED, IN_PLACE)
PLAN = {"release": {"name": "1.3.0-2"}}


def test_who_is_cut_is_named_and_who_stays_is_counted() -> None:
    summary = summary_of(PLAN, "roll_back", BOTH)
    assert (summary["stay"], summary["reconnect"]) == (7, 5)
    assert agreed_cuts(summary) == {2: 5}


def test_users_who_come_and_go_elsewhere_void_nothing() -> None:
    asked, agreed = digest_of(1, "roll_back", BOTH), {2: 5}
    fewer = (replace(STEERED, sessions=90), replace(IN_PLACE, cut=3, sessions=3))
    assert digest_of(1, "roll_back", fewer, agreed) == asked
    assert more_than(agreed, fewer) == ""


def test_another_number_is_another_question() -> None:
    asked = digest_of(1, "roll_back", BOTH)
    assert digest_of(1, "roll_back", BOTH, {2: 6}) != asked
    assert digest_of(1, "abort", BOTH) != asked
    assert digest_of(1, "roll_back", BOTH[:1]) != asked


def test_more_users_than_were_named_are_said() -> None:
    more = (STEERED, replace(IN_PLACE, cut=6))
    assert more_than({2: 5}, more) == "6 users are on gw-2 by now, and 5 were named."


def test_whoever_would_be_cut_needs_a_second_person() -> None:
    assert because(1, 0, None) == ""
    assert because(1, 0, None, cut=5) == (
        "Rolling back needs a second person: it cuts 5 users, where only one release at a time can serve."
    )
