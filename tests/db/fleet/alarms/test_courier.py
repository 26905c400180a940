"""The real courier process against a real web server and a real mail server."""

from __future__ import annotations

import time
from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest

from approvals import signed_webhook
from fleet.alarms import notices, outbox, post, signing
from fleet.alarms.addresses import kind_of
from fleet.alarms.hooks import Hook, target
from fleet.alarms.message import Message
from fleet.alarms.post import Letter
from fleet.errors import GiveUp, RetryLater
from fleet.models import Delivery
from tests.db.fleet.alarms.sinks import Hooks, Mails, serving
from tests.db.fleet.alarms.world import AT, alert, at, contact

HELLO = Message("Critical: Sign-ins fail", "More than 20 % of sign-ins fail on 1 gateway: gw-00.", "failure")
HERE = ["127.0.0.1"]


SECRET = signed_webhook.secret_of(b"k" * 32)
BODY = '{"type":"alert.opened","data":{"title":"Sign-ins fail · ü"}}'


def letter(url: str) -> Letter:
    """What a contact with this address is sent."""
    if kind_of(url) != "webhook":
        return Letter(url, HELLO, "handover-7")
    where, headers = target(url)
    signed = signed_webhook.headers([SECRET], "handover-7", int(time.time()), BODY.encode())
    return Letter(url, HELLO, "handover-7", Hook(where, BODY, headers | signed))


def test_a_webhook_gets_exactly_what_was_signed_and_its_answer_comes_back() -> None:
    with serving(Hooks()) as hooks:
        where = f"json://noc:pa%20ss@127.0.0.1:{hooks.server_port}/hooks/vpn?+X-Desk=7&-to=night&verify=no"
        answer = post.send(letter(where), allowed=HERE)
    assert answer == "200 OK taken"
    asked = hooks.asked[0]
    assert (asked.path, asked.body.decode()) == ("/hooks/vpn?to=night", BODY)
    assert (asked.headers["x-desk"], asked.headers["content-type"]) == ("7", "application/json")
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"noc:pa ss"
    verified = signed_webhook.verify([SECRET], asked.headers, asked.body, now=time.time())
    assert verified.id == "handover-7"


def test_one_that_is_gone_is_not_tried_again() -> None:
    with serving(Hooks(410)) as hooks, pytest.raises(GiveUp, match="410"):
        post.send(letter(f"http://127.0.0.1:{hooks.server_port}/x"), allowed=HERE)


def test_a_mail_server_gets_the_message() -> None:
    with serving(Mails()) as mails:
        port = mails.server_address[1]
        url = f"mailto://127.0.0.1:{port}?from=handover@example.org&to=oncall@example.org&mode=insecure"
        answer = post.send(letter(url), allowed=HERE)
    assert answer == "250 2.0.0 queued as 4F2A"
    assert "To: oncall@example.org" in mails.got[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_sent_where_the_setting_allows_nothing(host: str) -> None:
    with serving(Hooks()) as hooks, pytest.raises(GiveUp, match="private address"):
        post.send(letter(f"json://{host}:{hooks.server_port}/x"), allowed=[])
    assert hooks.got == []


def test_a_redirect_is_not_followed() -> None:
    with serving(Hooks()) as inner, serving(Hooks(302, where=f"http://127.0.0.1:{inner.server_port}/")) as outer:
        moved = letter(f"json://127.0.0.1:{outer.server_port}/x?redirect=yes")
        pytest.raises(RetryLater, post.send, moved, allowed=HERE).match("302")
    assert inner.got == []


def test_the_answer_does_not_show_the_token() -> None:
    with serving(Hooks(404)) as hooks, pytest.raises(RetryLater) as refused:
        post.send(letter(f"json://127.0.0.1:{hooks.server_port}/T0KEN-abcdef"), allowed=HERE)
    assert refused.value.say == "404 Not Found no such hook /…"


def test_a_setting_that_can_not_be_read_sends_nothing() -> None:
    pytest.raises(GiveUp, post.send, letter("http://127.0.0.1:9/x"), allowed=["here"]).match("can't be read")


def test_one_that_does_not_answer_is_left_after_its_time() -> None:
    with pytest.raises(RetryLater, match="within 0 s"):
        post.send(letter("http://127.0.0.1:9/x"), allowed=HERE, seconds=0.05)


@pytest.mark.django_db
def test_a_hook_that_is_broken_is_tried_again_until_it_takes_it(settings: Any) -> None:
    settings.ALERTS_TO = HERE
    with serving(Hooks(500)) as hooks:
        row = contact(url=f"http://127.0.0.1:{hooks.server_port}/hook")
        before = signing.renew(row, hours=0, now=AT)
        after = signing.renew(row, hours=24, now=AT)
        alert()
        notices.sweep(AT + timedelta(seconds=10))
        one = Delivery.objects.get()
        seen = []
        for minutes in (1, 2):
            outbox.run(one.pk, clock=at(minutes))
            one.refresh_from_db()
            seen.append((one.state, one.answer.partition(" ")[0]))
    assert seen == [("due", "500"), ("sent", "200")]
    assert [told["type"] for told in hooks.got] == ["alert.opened"] * 2
    assert hooks.got[0]["data"]["gateways"] == ["gw-00"]
    first, again = hooks.asked
    for secret in (before, after):
        signed_webhook.verify([secret], first.headers, first.body, now=at(1)().timestamp())
    told = [signed_webhook.verify([after], one.headers, one.body, now=at(2)().timestamp()).id for one in (first, again)]
    assert told == [f"handover-{one.pk}"] * 2
