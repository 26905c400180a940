"""Buttons: there in the states that the table names, with the reason why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.upgrader.pictures import NOW, observing, picture, row, wave
from upgrader.actions import Offer, offers
from upgrader.picture import Picture
from upgrader.states import ACTION_STATES, R, U, W


def offered(seen: Picture) -> dict[str, Offer]:
    return {offer.action: offer for offer in offers(seen, NOW)}


@pytest.mark.parametrize("state", R)
def test_table_of_moves_decides(state: R) -> None:
    at_work = wave(1, W.OBSERVING, row(1, U.OBSERVING))
    for action, offer in offered(picture(state, at_work)).items():
        assert offer.enabled is (state in ACTION_STATES[action])
        assert offer.shown is (state in ACTION_STATES[action])
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
