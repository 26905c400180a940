"""Alerts on a person's own browser: sealed for it, told of what he may see, forgotten when the browser is gone."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, User
from fleet.alarms import devices, notices, outbox, post, signing, webpush
from fleet.alarms.post import Letter
from fleet.errors import GiveUp
from fleet.models import Alert, Contact, Credential, Delivery
from tests import factories
from tests.db.fleet.alarms.world import AT, alert, at

pytestmark = pytest.mark.django_db
OURS = ec.derive_private_key(7, ec.SECP256R1())
SECRET = bytes(range(16))
ENDPOINT = "https://push.example.net/send/abc"


def said(endpoint: str = ENDPOINT) -> str:
    """What a browser with the key OURS says of itself."""
    keys = {"p256dh": webpush.coded(webpush.point(OURS.public_key())), "auth": webpush.coded(SECRET)}
    return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": keys})


def phone_of(person: User, name: str = "Phone", *, severity: str = "warning", endpoint: str = ENDPOINT) -> Contact:
    actor = Actor("person", person.username, person.pk)
    return devices.turn_on(said(endpoint), name, severity=severity, by=person, actor=actor, now=AT)


def read(body: bytes) -> dict[str, str]:
    """What the browser reads, by its own private key."""
    salt, theirs = body[:16], body[21 : 21 + webpush.POINT]
    shared = OURS.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    mine = webpush.point(OURS.public_key())
    secret = webpush._derived(shared, SECRET, b"WebPush: info\x00" + mine + theirs, 32)
    key = webpush._derived(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = webpush._derived(secret, salt, b"Content-Encoding: nonce\x00", 12)
    plain = AESGCM(key).decrypt(nonce, body[21 + webpush.POINT :], None)
    told: dict[str, str] = json.loads(plain.rstrip(b"\x02"))
    return told


def sent(delivery: Delivery) -> Letter:
    letters: list[Letter] = []

    def taken(letter: Letter) -> str:
        letters.append(letter)
        return "201 Created"

    done = outbox.run(delivery.pk, clock=at(), sender=taken)
    assert done is not None
    assert done.state == "sent"
    return letters[0]


def about(row: Alert) -> list[Delivery]:
    """What is on its way about this alert; a test went out when the browser was turned on."""
    return list(Delivery.objects.filter(alert=row).select_related("contact"))


def test_an_alert_reaches_the_browser_sealed_for_it() -> None:
    ola = factories.person("ola", ("view_pool",))
    phone_of(ola)
    row = alert(pool=factories.pool())
    notices.sweep(AT + timedelta(seconds=10))
    letter = sent(about(row)[0])
    assert letter.hook is not None
    assert letter.hook.url == ENDPOINT
    assert letter.hook.headers["Content-Encoding"] == "aes128gcm"
    shown = read(b64decode(letter.hook.raw))
    assert shown["title"] == letter.message.title
    assert (shown["url"], shown["tag"]) == (f"/alerts/{row.pk}/", f"alert-{row.pk}")


def test_it_is_told_of_what_its_person_may_see_and_of_nothing_else() -> None:
    ola, eve = factories.person("ola", ("view_pool",)), factories.person("eve", ("view_pool",), factories.pool("away"))
    mine = phone_of(ola)
    phone_of(eve, endpoint="https://push.example.net/send/eve")
    row = alert(pool=factories.pool())
    notices.sweep(AT + timedelta(seconds=10))
    assert [delivery.contact for delivery in about(row)] == [mine]


def test_only_what_is_critical_where_that_was_asked() -> None:
    phone_of(factories.person("ola", ("view_pool",)), severity="critical")
    small, grave = alert("memory@pool:1", pool=factories.pool(), severity="warning"), alert(pool=factories.pool())
    notices.sweep(AT + timedelta(seconds=10))
    assert [len(about(row)) for row in (small, grave)] == [0, 1]


def test_a_browser_that_is_gone_is_forgotten_and_it_is_on_record() -> None:
    row = phone_of(factories.person("ola", ("view_pool",)))
    told = alert(pool=factories.pool())
    notices.sweep(AT + timedelta(seconds=10))

    def gone(_: Letter) -> str:
        raise GiveUp("410 Gone", code=post.GONE)

    outbox.run(about(told)[0].pk, clock=at(), sender=gone)
    row.refresh_from_db()
    assert row.retired_at is not None
    assert not Credential.objects.filter(name=signing.seal_name(row)).exists()
    assert "takes no more messages" in AuditEvent.objects.get(verb="contact.retired").reason


def test_turned_on_again_it_is_the_same_one() -> None:
    ola = factories.person("ola", ("view_pool",))
    first, again = phone_of(ola), phone_of(ola, "Other", severity="critical")
    assert (first.pk, again.severity) == (again.pk, "critical")
    assert AuditEvent.objects.filter(verb="contact.added").count() == 1


@pytest.mark.parametrize(("text", "name"), [("{}", "Phone"), (said(), ""), (said(), " \n ")])
def test_what_is_no_browser_or_has_no_name_is_refused(text: str, name: str) -> None:
    ola = factories.person("ola", ("view_pool",))
    with pytest.raises(Refused):
        devices.turn_on(text, name, severity="warning", by=ola, actor=Actor("person", "ola", ola.pk), now=AT)


def test_the_key_is_made_once() -> None:
    assert devices.public_key(now=AT) == devices.public_key(now=AT)
