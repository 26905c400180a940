"""The stream of a page: who may hear what, what it says, and that nothing waits for a broker that is down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client, TestCase
from django.utils import timezone

from approvals import keys
from approvals.models import Actor, User
from tests import sights
from tests.scenes import scene
from upgrader import live
from upgrader.hub import RESYNC, Hub, Listener
from upgrader.stream import check, event, named, stream

Browse = Callable[[str], Client]
NOWHERE = "unix:///nonexistent/valkey.sock"


def cookies(client: Client) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 401), ("operator", 200), ("oncall", 200), ("auditor", 200), ("stranger", 403)]
)
def test_who_may_hear_a_rollout(browse: Browse, who: str, status: int) -> None:
    topic = f"rollout:{scene('observing').rollout.pk}"
    assert check(cookies(browse(who)), [topic, "inbox"]) == status


@pytest.mark.parametrize("topics", [[], ["rollout:999"], ["rollout:x"], ["everything"], ["inbox", "rollout:"]])
def test_what_nobody_may_hear(browse: Browse, topics: list[str]) -> None:
    assert check(cookies(browse("oncall")), topics) == 403


def test_session_that_ended_hears_nothing(browse: Browse) -> None:
    client = browse("oncall")
    before = cookies(client)
    client.post("/sign-out/")
    assert check(before, ["inbox"]) == 401


def test_forged_session_hears_nothing() -> None:
    assert check(f"{settings.SESSION_COOKIE_NAME}=forged", ["inbox"]) == 401


def test_burst_is_told_once() -> None:
    async def told() -> list[str]:
        hub, listener = Hub(NOWHERE), Listener(["rollout:1", "inbox"])
        hub.join(listener)
        for topic in ("rollout:1", "rollout:2", "rollout:1", "inbox"):
            hub._pass_on(topic)
        hub.leave(listener)
        hub._pass_on(RESYNC)
        news = await listener.news(0.01)
        await hub.stop()
        return news

    assert asyncio.run(told()) == ["inbox", "rollout:1"]


def test_names_of_events() -> None:
    assert [named(topic) for topic in ("rollout:1", "gateways", "inbox", RESYNC)] == [
        *("changed", "changed", "inbox", "resync")
    ]
    assert event("changed") == "event: changed\ndata: changed\n\n"


def test_stream_begins_with_a_resync_and_ends_with_the_browser(browse: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upgrader.stream.check", lambda *_: 200)
    sent: list[dict[str, Any]] = []

    async def talk() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.05)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        hub = Hub(NOWHERE)
        await stream({"query_string": b"topic=inbox", "headers": []}, receive, send, hub=hub)
        await hub.stop()

    asyncio.run(talk())
    assert dict(sent[0]["headers"])[b"content-type"] == b"text/event-stream"
    assert b"event: resync" in sent[1]["body"]


@pytest.mark.django_db(transaction=True)
def test_publish_goes_out_once_on_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(live, "_send", sent.append)
    with transaction.atomic():
        for topic in ("rollout:1", "inbox", "rollout:1", "inbox"):
            live.publish(topic)
        assert sent == []
    assert sorted(sent) == ["inbox", "rollout:1"]


@pytest.mark.django_db(transaction=True)
def test_publish_without_a_broker_raises_nothing(settings: Any) -> None:
    live._broker.cache_clear()
    settings.REDIS_URL = NOWHERE
    with transaction.atomic():
        live.publish("inbox")
    live._broker.cache_clear()


def test_a_question_and_its_answer_reach_open_pages(
    browse: Browse, people: dict[str, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(live, "_send", heard.append)
    by = people["operator"]
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    with transaction.atomic(), TestCase.captureOnCommitCallbacks(execute=True):
        keys.propose(sights.OPERATORS, by=by, actor=actor, now=timezone.now())
    assert heard == ["inbox"]
