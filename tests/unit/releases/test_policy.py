"""May this release go there: every way in which it may not, each with its sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from releases.policy import Policy, Seen, Vouched, next_channel, weaker, why_not

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LI = Vouched("A" * 40, "Li", "release", NOW - timedelta(days=3))
KIM = Vouched("CN=Kim,O=Example", "CN=Kim,O=Example", "company", NOW - timedelta(days=40))
SEEN = Seen("1.3.0-2", "production", "", [LI, KIM])
POLICY = Policy("production", threshold=2, group="", max_age_days=0)


def say(seen: Seen = SEEN, policy: Policy | None = POLICY, *, channel: str = "production", floor: int = 1) -> str:
    return why_not(seen, policy, channel=channel, floor=floor, now=NOW)


def test_two_of_two() -> None:
    assert say() == ""


@pytest.mark.parametrize("channel", ["staging", "candidate"])
def test_further_than_the_pool_asks(channel: str) -> None:
    assert say(channel=channel) == ""


@pytest.mark.parametrize(
    ("seen", "policy", "answer"),
    [
        (replace(SEEN, yanked="crashes"), POLICY, "1.3.0-2 was withdrawn: crashes. Choose another release."),
        (replace(SEEN, channel="staging"), POLICY, "is in the channel staging; this pool takes releases of production"),
        (replace(SEEN, channel="odd"), POLICY, "one of them is unknown"),
        (SEEN, None, "The channel production has no policy, so nothing may go there"),
        (SEEN, replace(POLICY, threshold=0), "asks for 0 signers, so nothing can be trusted"),
        (SEEN, replace(POLICY, threshold=3), "has signatures of 2 signers that count today"),
        (SEEN, replace(POLICY, group="release"), "CN=Kim,O=Example is of the group company"),
        (SEEN, replace(POLICY, max_age_days=30), "CN=Kim,O=Example signed 40 days ago, 30 are allowed"),
        (replace(SEEN, vouched=[LI, LI]), POLICY, "has signatures of 1 signers that count today"),
        (replace(SEEN, vouched=[LI, replace(KIM, bad="Kim was revoked.")]), POLICY, "(Kim was revoked)"),
        (replace(SEEN, vouched=[]), replace(POLICY, threshold=1), "has signatures of 0 signers"),
    ],
)
def test_each_way_not_has_its_sentence(seen: Seen, policy: Policy | None, answer: str) -> None:
    assert answer in say(seen, policy)


def test_a_signature_without_a_time_has_no_age() -> None:
    timeless = replace(SEEN, vouched=[LI, replace(KIM, signed_at=None)])
    assert say(timeless) == ""
    assert "does not say when it was made" in say(timeless, replace(POLICY, max_age_days=365))


def test_the_floor_stands_below_every_policy() -> None:
    assert "needs 3" in say(floor=3)
    assert "asks for 0 signers" in say(floor=0)


def test_channels_follow_each_other() -> None:
    assert [next_channel(name) for name in ("candidate", "staging", "production", "odd")] == [
        "staging",
        "production",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("new", "answer"),
    [
        (POLICY, []),
        (replace(POLICY, threshold=1), ["1 instead of 2 signers"]),
        (replace(POLICY, threshold=3, max_age_days=9, matrix=("static",)), []),
    ],
)
def test_a_weaker_policy_is_called_so(new: Policy, answer: list[str]) -> None:
    assert weaker(POLICY, new) == answer


def test_a_policy_gets_weaker_in_each_of_its_fields() -> None:
    strict = Policy("production", 2, "release", 30, ("static", "stress"))
    assert weaker(strict, replace(strict, group="")) == ["signers of any group instead of release"]
    assert weaker(strict, replace(strict, max_age_days=0)) == ["signatures of any age old"]
    assert weaker(strict, replace(strict, max_age_days=60)) == ["signatures up to 60 days old"]
    assert weaker(strict, replace(strict, matrix=("static",))) == ["no longer the stress tests"]
    assert weaker(None, strict) == ["until now nothing may go there at all"]
