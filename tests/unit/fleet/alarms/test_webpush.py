"""Web push: the example of RFC 8291, what a browser reads back, and what is no address."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fleet.alarms import webpush
from fleet.alarms.addresses import BadAddress
from fleet.alarms.webpush import Subscription, coded, decoded

# RFC 8291, section 5 and appendix A.
PLAIN = b"When I grow up, I want to be a watermelon"
KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SECRET, SALT = "BTBZMqHH6r4Tts7J_aSIgg", "DGv6ra1nlYgDCS1FRnbzlw"
OURS = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7"
    "A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
ENDPOINT = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(decoded(text)), ec.SECP256R1())


def browser() -> Subscription:
    return Subscription(ENDPOINT, decoded(KEY), decoded(SECRET))


def test_a_message_is_sealed_as_the_standard_shows_it() -> None:
    made = webpush.sealed(PLAIN, browser(), ours=private(OURS), salt=decoded(SALT))
    assert coded(made) == SEALED


def test_a_message_that_fits_no_record_is_refused() -> None:
    webpush.sealed(b"x" * webpush.PLAIN_MOST, browser(), ours=private(OURS), salt=decoded(SALT))
    with pytest.raises(ValueError, match="at most"):
        webpush.sealed(b"x" * (webpush.PLAIN_MOST + 1), browser(), ours=private(OURS), salt=decoded(SALT))


def test_the_address_is_kept_as_it_was_told() -> None:
    said = {"endpoint": ENDPOINT, "expirationTime": None, "keys": {"p256dh": KEY, "auth": SECRET}}
    found = webpush.told(json.dumps(said))
    assert found == browser()
    assert webpush.kept(found.address) == found


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "{}",
        '{"endpoint":"https://a.example","keys":{}}',
        json.dumps({"endpoint": "http://a.example/x", "keys": {"p256dh": KEY, "auth": SECRET}}),
        json.dumps({"endpoint": "https://u@a.example/x", "keys": {"p256dh": KEY, "auth": SECRET}}),
        json.dumps({"endpoint": ENDPOINT, "keys": {"p256dh": KEY, "auth": "AAAA"}}),
        json.dumps({"endpoint": ENDPOINT, "keys": {"p256dh": coded(bytes(65)), "auth": SECRET}}),
    ],
)
def test_what_is_no_browser_is_refused(said: str) -> None:
    with pytest.raises(BadAddress):
        webpush.told(said)


def test_the_word_names_the_service_and_is_signed_by_the_key_that_it_shows() -> None:
    key = private(OURS)
    said = webpush.word(browser(), key=key, contact="https://handover.example.org", now=1_800_000_000)
    token, _, shown = said.removeprefix("vapid t=").partition(", k=")
    assert decoded(shown) == webpush.point(key.public_key())
    audience = "https://push.example.net"
    claims = jwt.decode(token, key.public_key(), ["ES256"], audience=audience, options={"verify_exp": False})
    assert (claims["exp"], claims["sub"]) == (1_800_000_000 + 12 * 3600, "https://handover.example.org")
