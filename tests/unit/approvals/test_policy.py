from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from approvals.policy import Answer, Asked, Said, same, why_not, why_not_use

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GOOD, OTHER = "a" * 64, "b" * 64
MO, LI, KIM = 1, 2, 3

ASKED = Asked(
    state="open",
    digest=GOOD,
    permission="approve_rollout",
    scope="pool:3",
    needed=1,
    requested_by=MO,
    expires_at=NOW + timedelta(hours=1),
    use_until=NOW + timedelta(days=1),
    said=(),
)
ANSWER = Answer(by=LI, yes=True, reason="", digest=GOOD, has_right=True, active=True)
LI_SAID = Said(by=LI, name="Li", yes=True, digest=GOOD, at=NOW - timedelta(seconds=20))


def test_another_person_with_the_right_may() -> None:
    assert why_not(ASKED, ANSWER, now=NOW) == ""
    assert why_not(ASKED, replace(ANSWER, yes=False, reason="too early"), now=NOW) == ""


@pytest.mark.parametrize(
    ("asked", "answer", "say"),
    [
        ({}, {"by": MO}, "You asked for this yourself. Somebody else has to decide."),
        ({}, {"active": False}, "Your account is switched off."),
        ({}, {"has_right": False}, "You may not decide this: you lack the right approve_rollout on pool:3."),
        ({"state": "approved", "said": [LI_SAID]}, {"by": KIM}, "Li approved this 20 s ago."),
        ({"state": "rejected", "said": [replace(LI_SAID, yes=False)]}, {"by": KIM}, "Li rejected this 20 s ago."),
        ({"needed": 2, "said": [LI_SAID]}, {}, "You approved this 20 s ago."),
        ({"state": "void"}, {}, "The request is void, because what it asked for has changed. Ask again."),
        ({"state": "expired"}, {}, "The request expired before enough people decided. Ask again."),
        ({"state": "what"}, {}, "The request is 'what'; nobody can decide it any more."),
        ({"expires_at": NOW}, {}, "The request expired 0 s ago. Ask again."),
        ({"expires_at": NOW - timedelta(hours=3)}, {}, "The request expired 3 h ago. Ask again."),
        ({}, {"digest": OTHER}, "What you were shown is not what is asked now. Look at it again, then decide."),
        ({}, {"yes": False, "reason": " "}, "Say why you reject it: the one who asked needs the reason."),
    ],
)
def test_refusals(asked: dict[str, object], answer: dict[str, object], say: str) -> None:
    assert why_not(replace(ASKED, **asked), replace(ANSWER, **answer), now=NOW) == say  # type: ignore[arg-type]  # one field each


def test_an_empty_digest_equals_nothing() -> None:
    assert not same("", "")
    assert not same(GOOD, "")
    assert why_not(replace(ASKED, digest=""), replace(ANSWER, digest=""), now=NOW)
    assert why_not_use(replace(APPROVED, digest=""), digest="", still_right=frozenset({LI}), now=NOW)


APPROVED = replace(ASKED, state="approved", said=(LI_SAID,))


def test_approved_may_be_used_until_its_time_is_over() -> None:
    last = APPROVED.use_until - timedelta(microseconds=1)
    assert why_not_use(APPROVED, digest=GOOD, still_right=frozenset({LI}), now=last) == ""


@pytest.mark.parametrize(
    ("asked", "digest", "right", "say"),
    [
        ({"state": "open"}, GOOD, {LI}, "Nobody has approved this yet."),
        ({"state": "rejected"}, GOOD, {LI}, "This was rejected. Ask again when the reason is gone."),
        ({"state": "void"}, GOOD, {LI}, "The request is void, because what it asked for has changed. Ask again."),
        ({}, OTHER, {LI}, "This is not what was approved: something in it has changed since. Ask again."),
        ({}, "", {LI}, "This is not what was approved: something in it has changed since. Ask again."),
        ({"use_until": NOW}, GOOD, {LI}, "The approval could be used until 0 s ago. Ask again."),
        ({}, GOOD, set(), "Li approved this, but has lost the right approve_rollout on pool:3 since. Ask again."),
        ({"said": ()}, GOOD, {LI}, "0 of 1 approvals are there. Ask again."),
        ({"needed": 0, "said": ()}, GOOD, {LI}, "0 of 0 approvals are there. Ask again."),
        ({"needed": 2}, GOOD, {LI}, "1 of 2 approvals are there. Ask again."),
        ({"said": [replace(LI_SAID, by=MO)]}, GOOD, {MO}, "0 of 1 approvals are there. Ask again."),
        ({"said": [replace(LI_SAID, digest=OTHER)]}, GOOD, {LI}, "0 of 1 approvals are there. Ask again."),
        ({"said": [replace(LI_SAID, yes=False)]}, GOOD, {LI}, "Somebody said no to this. Ask again."),
    ],
)
def test_use_is_refused(asked: dict[str, object], digest: str, right: set[int], say: str) -> None:
    seen = replace(APPROVED, **asked)  # type: ignore[arg-type]  # one field each
    assert why_not_use(seen, digest=digest, still_right=frozenset(right), now=NOW) == say
