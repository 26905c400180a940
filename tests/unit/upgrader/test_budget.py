"""The blast radius as arithmetic: equal is allowed, percents are rounded up, and outages count."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upgrader.budget import Limit, Use, room, share_of

POOL = 1


def use(number: int, sessions: int = 10, **more: Any) -> Use:
    values: dict[str, Any] = {"gateway": number, "name": f"gw-{number}", "pool": POOL, "sessions": sessions}
    return Use(**values | {"rollout": 9} | more)


def fleet(gateways: int | None = None, **more: Any) -> Limit:
    return Limit(**{"whose": "of the fleet", "gateways": gateways, "total": 12, "percent": 25} | more)


@pytest.mark.parametrize(
    ("percent", "total", "allowed"), [(25, 12, 3), (25, 13, 4), (1, 3, 1), (100, 7, 7), (50, 0, 1)]
)
def test_a_percent_is_rounded_up_and_at_least_one(percent: int, total: int, allowed: int) -> None:
    assert share_of(percent, total) == allowed


def test_equal_is_allowed_and_one_more_is_not() -> None:
    assert room([fleet(3)], [use(1), use(2)], [use(3)]).say == ""
    full = room([fleet(3)], [use(1), use(2), use(3, rollout=14)], [use(4)])
    assert full.say == (
        "Waits for room: 3 of 12 gateways of the fleet may be out (25 %);"
        " 2 are in hand by this rollout, 1 is in hand by rollout 14."
    )


def test_who_does_not_answer_counts_and_is_named() -> None:
    out = [use(7, what="silent", rollout=0), use(8, what="quarantined", rollout=0), use(9, what="drained", rollout=0)]
    assert room([fleet(3)], out, [use(1)]).say.endswith(
        "; gw-7 does not answer, gw-8 is quarantined, gw-9 is drained at its balancer."
    )


def test_a_gateway_that_is_out_already_is_counted_once() -> None:
    out = [use(7, what="silent", rollout=0), use(7), use(8)]
    assert room([fleet(3)], out, [use(1)]).say == ""
    assert room([fleet(2)], out, [use(7)]).say == ""


def test_what_both_releases_serve_is_at_risk_and_not_out() -> None:
    observed = [use(1, out=False), use(2, out=False)]
    assert room([fleet(1)], observed, [use(3)]).say == ""
    assert room([fleet(None, sessions=30)], observed, [use(3)]).say == ""
    assert room([fleet(None, sessions=29)], observed, [use(3)]).say == (
        "Waits for room: 29 sessions of the fleet may be at risk; 20 are now, and gw-3 has 10."
    )


def test_a_gateway_without_users_fits_where_too_many_are_at_risk_already() -> None:
    assert room([fleet(None, sessions=5)], [use(1, sessions=80)], [use(2, sessions=0)]).say == ""


def test_a_pool_counts_its_own_gateways_only() -> None:
    mine = Limit(whose="of eu", gateways=1, total=4, percent=25, pool=POOL)
    elsewhere = [use(number, pool=2) for number in range(10, 20)]
    assert room([mine], elsewhere, [use(1)]).say == ""
    assert room([mine], [*elsewhere, use(2)], [use(1)]).say.startswith("Waits for room: 1 of 4 gateways of eu may be")


def test_a_rollout_counts_its_own_gateways_only() -> None:
    own = Limit(whose="of rollout 9", gateways=1, total=2, only=frozenset({1, 2}))
    assert room([own], [use(5)], [use(1)]).say == ""
    assert room([own], [use(2, what="silent", rollout=0)], [use(1)]).say == (
        "Waits for room: 1 of 2 gateways of rollout 9 may be out; gw-2 does not answer."
    )


def test_two_of_a_group_are_never_out_together() -> None:
    pair = room([], [use(1, group="a", rollout=3)], [use(2, group="a")])
    assert pair.say == "gw-2 waits for gw-1, which is in hand by rollout 3: both are of the group a."
    assert room([], [use(1, group="a", what="silent")], [use(2, group="a")]).say.startswith(
        "gw-2 waits for gw-1, which does not answer:"
    )
    assert room([], [use(1, group="a", out=False)], [use(2, group="a")]).say == ""
    assert room([], [use(1, group="b"), use(3)], [use(2, group="a")]).say == ""
    assert room([], [], [use(1, group="a"), use(2, group="a")]).fits == 1


def test_it_says_how_many_fit() -> None:
    asked = room([fleet(3)], [use(1)], [use(2), use(3), use(4)])
    assert (asked.fits, asked.say != "") == (2, True)


uses = st.builds(
    use,
    st.integers(1, 30),
    st.integers(0, 50),
    pool=st.integers(1, 2),
    group=st.sampled_from(["", "", "a", "b"]),
    out=st.booleans(),
    what=st.sampled_from(["hand", "silent", "drained"]),
)
limits = st.builds(fleet, st.integers(1, 10), sessions=st.integers(0, 300), pool=st.sampled_from([None, 1, 2]))


@given(st.lists(limits, max_size=3), st.lists(uses, max_size=15, unique_by=lambda it: it.gateway), st.integers(0, 8))
def test_no_limit_is_ever_gone_beyond_by_what_fits(limits: list[Limit], there: list[Use], number: int) -> None:
    wanted = [use(100 + index, pool=1 + index % 2) for index in range(number)]
    fits = wanted[: room(limits, there, wanted).fits]
    for limit in limits:
        here = [it for it in there if limit.counts(it)]
        if new := [it for it in fits if limit.counts(it)]:
            assert limit.gateways is not None
            assert sum(it.out for it in here) + len(new) <= limit.gateways
            assert limit.sessions is not None
            assert sum(it.sessions for it in [*here, *new]) <= limit.sessions


def test_gateways_of_other_pools_are_counted_and_not_named() -> None:
    theirs = [use(number, what="silent", rollout=0, pool=2) for number in (7, 8)]
    assert room([fleet(3)], [*theirs, use(9, what="drained", rollout=0)], [use(1)]).say.endswith(
        "; 2 gateways of other pools do not answer, gw-9 is drained at its balancer."
    )
    mate = room([], [use(7, group="a", pool=2)], [use(1, group="a")])
    assert mate.say == "gw-1 waits for a gateway of another pool, which is in hand: both are of the group a."
