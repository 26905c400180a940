"""Enough different people from the right groups: against trying every seating."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from approvals.policy_spec import Need
from approvals.quorum import Vote, missing, persons

GROUPS = ["approver", "oncall", "auditor"]
VOTES = st.lists(
    st.builds(Vote, st.frozensets(st.integers(1, 6), min_size=1, max_size=2), st.frozensets(st.sampled_from(GROUPS))),
    max_size=5,
)
NEEDS = st.lists(st.sampled_from(["", *GROUPS]), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*(st.builds(Need, st.integers(1, 2), st.just(name)) for name in names))
)


@given(NEEDS, VOTES)
def test_it_is_there_exactly_when_some_seating_fills_every_seat(needs: tuple[Need, ...], votes: list[Vote]) -> None:
    seats = [need.of for need in needs for _ in range(need.count)]
    people = persons(votes)
    filled = any(
        all(not seat or seat in vote.groups for seat, vote in zip(seats, order, strict=True))
        for order in permutations(people, len(seats))
    )
    assert (missing(needs, votes) == ()) is filled


def test_accounts_that_share_one_are_one_person() -> None:
    li, admin, other = Vote(frozenset({1, 2})), Vote(frozenset({2})), Vote(frozenset({3}))
    assert missing([Need(2)], [li, admin]) == (Need(1),)
    assert missing([Need(2)], [li, admin, other]) == ()


def test_who_is_in_both_groups_sits_where_he_is_needed() -> None:
    both, one = Vote(frozenset({1}), frozenset({"oncall", "approver"})), Vote(frozenset({2}), frozenset({"approver"}))
    needs = [Need(1, "approver"), Need(1, "oncall")]
    assert missing(needs, [both]) == (Need(1, "oncall"),)
    assert missing(needs, [both, one]) == ()
