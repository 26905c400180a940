"""Buttons: there in the states that the table names, with the reason why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.upgrader.pictures import NOW, observing, picture, row, wave
from upgrader.actions import Offer, offers
from upgrader.picture import Asked, Judged, Picture
from upgrader.row_actions import row_offers
from upgrader.states import ACTION_STATES, Outcome, R, U, W

ASKED_FOR = ("agree_back", "refuse_back", "agree_cut", "refuse_cut", "extend", "ask_cut")


def offered(seen: Picture) -> dict[str, Offer]:
    return {offer.action: offer for offer in offers(seen, NOW)}


@pytest.mark.parametrize("state", R)
def test_table_of_moves_decides(state: R) -> None:
    at_work = wave(1, W.OBSERVING, row(1, U.OBSERVING))
    for action, offer in offered(picture(state, at_work)).items():
        has_object = action not in ASKED_FOR
        assert offer.enabled is (state in ACTION_STATES[action] and has_object)
        assert offer.shown is (state in ACTION_STATES[action] and has_object)
        assert bool(offer.reason) is not offer.enabled


@pytest.mark.parametrize("state", R)
def test_who_may_nothing_is_told_what_is_needed(state: R) -> None:
    for offer in offered(picture(state, may=frozenset())).values():
        assert not offer.enabled
        if offer.shown:
            assert offer.reason.startswith("needs somebody who may")
            assert offer.reason.endswith("on eu-west")


def test_nobody_approves_his_own() -> None:
    seen = offered(picture(R.WAITING_APPROVAL, own=True))
    assert not seen["approve"].enabled
    assert not seen["reject"].enabled
    assert "you asked for it" in seen["approve"].reason


def test_promotion_is_announced() -> None:
    promote = offered(observing())["promote"]
    assert promote.shown
    assert not promote.enabled
    assert promote.label == "Promote wave 2"
    assert promote.reason == "after wave 1 is observed, at 14:14"


def test_without_a_pass_a_reason_is_needed() -> None:
    seen = replace(observing(), state=R.WAITING_PROMOTION)
    promote = offered(seen)["promote"]
    assert promote.enabled
    assert promote.needs_reason
    assert promote.decision
    assert promote.label == "Go on with wave 1 all the same"


def test_after_a_pass_one_press_is_enough() -> None:
    first = wave(1, W.PASSED, row(1, U.DRAINING))
    promote = offered(picture(R.WAITING_PROMOTION, first, wave(2, W.PLANNED, row(2), row(3))))["promote"]
    assert (promote.needs_reason, promote.decision) == (False, False)
    assert promote.effect.startswith("2 gateways, 20 users")


@pytest.mark.parametrize("state", R)
def test_nothing_to_roll_back_is_not_offered(state: R) -> None:
    back = offered(picture(state))["roll_back"]
    assert not back.shown
    assert not back.enabled


def test_rollback_names_its_effect() -> None:
    back = offered(observing())["roll_back"]
    assert back.label == "Roll back 1 gateway"
    assert back.effect == "10 users stay, 0 cut"
    assert back.needs_reason


def test_abort_names_who_goes_back_and_who_stays() -> None:
    rows = [row(1, U.DONE, gone=True), row(2, U.DRAINING), row(3, U.DRAINING)]
    abort = offered(picture(R.DRAINING, wave(1, W.PASSED, *rows)))["abort"]
    assert abort.label == "Abort: 2 gateways go back, 1 stays"
    assert (abort.enabled, abort.needs_reason, abort.decision) == (True, True, True)


def test_abort_of_what_did_not_begin() -> None:
    assert offered(picture(R.PLANNED))["abort"].label == "Drop this plan"
    assert offered(picture(R.UPGRADING))["abort"].label == "Abort: nothing has begun"


def test_one_wave_or_all_of_them() -> None:
    first = wave(1, W.PASSED, row(1, U.DRAINING))
    seen = picture(R.WAITING_PROMOTION, first, wave(2, W.PLANNED, row(2)), wave(3, W.PLANNED, row(3)))
    one, every = (offer for offer in offers(seen, NOW) if offer.action == "promote")
    assert {one.label, every.label} == {"Promote wave 2", "Promote all 2 waves"}
    assert {one.fields, every.fields} == {(), (("through", "all"),)}


def test_the_next_share_by_hand() -> None:
    passed = Judged(Outcome.PASS, "fine", NOW, final=True)
    first = wave(1, W.OBSERVING, row(1, U.OBSERVING), verdict=passed)
    promote = offered(picture(R.WAITING_PROMOTION, first, shares="hand"))["promote"]
    assert promote.label == "Go on to 100 % in wave 1"
    assert (promote.needs_reason, promote.enabled) == (False, True)


def question(**columns: Any) -> Asked:
    said: dict[str, Any] = {"state": "open", "digest": "b" * 64, "by": "ola", "own": False, "why": "hangs", "at": NOW}
    return Asked(**(said | {"expires_at": NOW + timedelta(hours=2)} | columns))


def test_a_rollback_that_was_asked_for_is_anothers_to_agree() -> None:
    at_work = wave(1, W.PASSED, row(1, U.DRAINING))
    asked = question(summary={"gateways": [1, 2, 3], "stay": 12})
    mine = offered(picture(R.HELD, at_work, back=asked))
    assert (mine["agree_back"].label, mine["agree_back"].digest) == ("Roll back 3 gateways now", "b" * 64)
    assert mine["agree_back"].enabled
    assert mine["roll_back"].reason == "ola asked for it: a second person decides"
    own = offered(picture(R.HELD, at_work, back=question(own=True)))
    assert own["agree_back"].reason.startswith("you asked for it")


def test_an_expired_question_is_offered_again() -> None:
    at_work = wave(1, W.PASSED, row(1, U.DRAINING))
    back = offered(picture(R.HELD, at_work, back=question(state="expired")))["roll_back"]
    assert (back.label, back.enabled) == ("Ask again: roll back 1 gateway", True)


def test_a_rollback_that_needs_a_second_person_says_so_before() -> None:
    rows = [row(number, U.DRAINING) for number in (1, 2, 3)]
    seen = picture(R.DRAINING, wave(1, W.PASSED, *rows), most_alone=2)
    assert offered(seen)["roll_back"].effect == "30 users stay, 0 cut; asks a second person first"


def test_a_drain_over_its_time_is_extended_or_cut() -> None:
    late = row(1, U.DRAINING, drain_left=3, drain_until=NOW - timedelta(minutes=1))
    seen = offered(picture(R.DRAINING, wave(1, W.PASSED, late)))
    assert (seen["extend"].enabled, seen["ask_cut"].label) == (True, "Ask to cut 3 users")
    agreed = replace(late, cut_at_most=3)
    assert not offered(picture(R.DRAINING, wave(1, W.PASSED, agreed)))["extend"].shown


def test_more_users_than_were_agreed_are_asked_about_again() -> None:
    late = row(1, U.DRAINING, drain_left=5, cut_at_most=3, drain_until=NOW - timedelta(minutes=1))
    assert offered(picture(R.DRAINING, wave(1, W.PASSED, late)))["ask_cut"].label == "Ask to cut 5 users"


def on_row(state: R, it: U, **columns: Any) -> dict[str, Offer]:
    one = row(1, it, **columns)
    return {offer.action: offer for offer in row_offers(picture(state, wave(1, W.UPGRADING, one)), one, NOW)}


def test_what_can_be_done_about_one_gateway() -> None:
    assert set(on_row(R.HELD, U.FAILED)) == {"retry", "skip"}
    assert set(on_row(R.UPGRADING, U.PLANNED)) == {"skip"}
    assert set(on_row(R.UPGRADING, U.SKIPPED)) == {"take_in"}
    assert set(on_row(R.UPGRADING, U.SKIPPED, to_slot=2, skip=True)) == set()
    assert set(on_row(R.DONE, U.DONE)) == set()
    assert on_row(R.HELD, U.FAILED)["skip"].fields == (("gateway", "1"),)


def test_leaving_one_out_says_what_becomes_of_its_users() -> None:
    assert on_row(R.HELD, U.OBSERVING)["skip"].effect == "goes back first; 10 users stay"
    assert on_row(R.HELD, U.PLANNED)["skip"].effect == "nothing is done there"
    assert on_row(R.HELD, U.UPGRADING, way="in_place")["skip"].reason == ""
    cut = on_row(R.HELD, U.OBSERVING, way="in_place", kept=0)["skip"].reason
    assert cut == "going back cuts its 10 users: roll back or abort, which asks a second person"
