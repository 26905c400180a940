from __future__ import annotations

import json

import pytest

from approvals.policy_spec import BadPolicy, Need, Rules, as_data, parse, said, strong_enough


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {"needs": []},
        {"needs": [{"count": 0}]},
        {"needs": [{"count": True}]},
        {"needs": [{"count": 1, "of": "a"}, {"count": 1, "of": "a"}]},
        {"needs": [{"count": 9}, {"count": 1, "of": "a"}]},
        {"needs": [{"count": 1, "who": "a"}]},
        {"not_requester": False},
        {"not_signer": "no"},
        {"decide_minutes": 0},
        {"use_minutes": 1.5},
        {"remind_minutes": -1},
        {"remind_minutes": 30, "escalate_minutes": 30},
        {"step_up": "retina"},
    ],
)
def test_what_is_not_a_policy_is_refused(spec: object) -> None:
    with pytest.raises(BadPolicy, match=r"\.$"):
        parse(spec)


def test_what_was_written_is_read_as_it_was() -> None:
    rules = Rules((Need(1, "approver"), Need(2, "oncall")), not_signer=True, step_up="passkey", remind_minutes=0)
    assert parse(json.loads(json.dumps(as_data(rules)))) == rules
    assert parse({}) == Rules()


def test_it_says_what_it_means() -> None:
    rules = Rules((Need(1, "approver"), Need(1)), not_signer=True, decide_minutes=90, use_minutes=1440)
    yes, times, _, reminded = said(rules)
    assert yes == (
        "Yes comes from 1 person of the group approver and 1 person with the right to decide, all different people. "
        "Never from who asked for it, and nobody who signed the release."
    )
    assert "ends after 90 minutes" in times
    assert "for 1 day after" in times
    assert reminded == "30 minutes after the question people are reminded; 1 hour after it, the next are told."


def test_a_stronger_proof_is_good_for_a_weaker_wish_and_an_unknown_one_for_none() -> None:
    assert strong_enough("passkey", "second-factor")
    assert not strong_enough("password", "second-factor")
    assert not strong_enough("retina", "password")
    assert strong_enough("retina", "")
