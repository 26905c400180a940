"""Standard Webhooks and GitHub's signatures, held against the examples that their authors publish."""

from __future__ import annotations

import pytest

from approvals import signed_webhook as hooks
from approvals.signed_webhook import Signed, Unsigned

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # nosec B105 # of the specification's example
OTHER = hooks.secret_of(b"o" * hooks.KEY_BYTES)
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HUB = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def told(**other: str) -> dict[str, str]:
    return hooks.headers([SECRET], ID, AT, BODY) | {name.replace("_", "-"): value for name, value in other.items()}


def test_the_specifications_example_is_signed_and_verified() -> None:
    assert hooks.sign(SECRET, ID, AT, BODY) == SIGNATURE
    assert hooks.verify([SECRET], told(), BODY, now=AT + 10) == Signed(ID, 0)


def test_githubs_example_is_verified() -> None:
    found = hooks.verify_hub(["", "It's a Secret to Everybody"], {hooks.HUB: f"sha256={HUB}"}, b"Hello, World!")
    assert found.by == 1
    assert found.id.startswith("sha256-dffd6021")


def test_while_a_secret_changes_either_is_enough() -> None:
    both = hooks.headers([SECRET, OTHER], ID, AT, BODY)
    assert hooks.verify([OTHER], both, BODY, now=AT) == Signed(ID, 0)
    assert hooks.verify([OTHER, SECRET], told(), BODY, now=AT) == Signed(ID, 1)


@pytest.mark.parametrize(
    ("wrong", "body", "now", "why"),
    [
        ({}, b"{}", AT, "none of this sender's secrets"),
        ({"webhook_id": "another"}, BODY, AT, "none of this sender's secrets"),
        ({"webhook_id": "a.1"}, BODY, AT, "no dot"),
        ({"webhook_timestamp": str(AT + 1)}, BODY, AT, "none of this sender's secrets"),
        ({"webhook_timestamp": "soon"}, BODY, AT, "whole number"),
        ({"webhook_signature": ""}, BODY, AT, "has the headers"),
        ({"webhook_signature": "v1a,é"}, BODY, AT, "none of this sender's secrets"),
        ({}, BODY, AT + hooks.TOLERANCE + 1, "301 s old"),
        ({}, BODY, AT - hooks.TOLERANCE - 1, "301 s ahead"),
    ],
)
def test_what_is_not_theirs_or_not_of_now_is_refused(wrong: dict[str, str], body: bytes, now: int, why: str) -> None:
    with pytest.raises(Unsigned, match=why):
        hooks.verify([OTHER, SECRET], told(**wrong), body, now=now)


@pytest.mark.parametrize("header", ["", "sha1=abc", f"sha256={'0' * 64}", "sha256=é"])
def test_a_wrong_hub_signature_is_refused(header: str) -> None:
    with pytest.raises(Unsigned):
        hooks.verify_hub(["secret", ""], {hooks.HUB: header}, b"Hello, World!")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_é"])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="base64 of 24 to 64 bytes"):
        hooks.sign(secret, ID, AT, BODY)
