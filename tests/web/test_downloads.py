"""Bundles by ticket: ranges, what a cache needs, turns, and what the record says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from approvals.models import Actor, AuditEvent
from fleet.models import Gateway, Pool
from releases import services, tickets
from releases.models import Release
from tests.db.releases.cast import OLA, trust
from tests.unit.releases import desk
from tests.web.asgi import Answer
from upgrader.download import Desk, download
from upgrader.turns import Turns


@pytest.fixture
def release(settings: Any, tmp_path: Path) -> Release:
    settings.REPOSITORY = tmp_path / "repository"
    trust("li")
    noise = desk.member("lib/noise", size=4)
    folder = desk.release(tmp_path / "in", desk.key("li"), packed=desk.bundle(noise))
    return services.take_in(folder, by=None, actor=OLA, now=timezone.now())


@pytest.fixture
def bundle(release: Release, tmp_path: Path) -> bytes:
    return (tmp_path / "in" / "bundle.tar.zst").read_bytes()


@pytest.fixture
def ticket(release: Release) -> str:
    gateway = Gateway.objects.create(name="fra-gw-01", pool=Pool.objects.create(name="eu"))
    return tickets.issue(release, gateway, actor=Actor.machine("handover"), now=timezone.now())


def ask(desk: Desk, sha256: str, *, method: str = "GET", **headers: str) -> Answer:
    answer = Answer()
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": f"/bundles/{sha256}", "headers": raw, "client": ("192.0.2.7", 9)}
    first = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return first.pop() if first else await asyncio.Future()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        answer.content += message.get("body", b"")

    async_to_sync(download)(scope, receive, send, desk=desk)
    return answer


@pytest.fixture
def get(release: Release, ticket: str) -> Callable[..., Answer]:
    shared = Desk(Turns(0))
    return lambda **headers: ask(shared, release.sha256, **{"authorization": f"Bearer {ticket}", **headers})


Get = Callable[..., Answer]


def test_the_whole_bundle_comes(get: Get, release: Release, bundle: bytes) -> None:
    answer = get()
    assert (answer.status, answer.content) == (200, bundle)
    assert answer.headers["content-length"] == str(len(bundle))


def test_any_cache_may_keep_it(get: Get, release: Release) -> None:
    headers = get().headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["etag"] == f'"{release.sha256}"'
    assert get(if_none_match=headers["etag"]).status == 304


def test_a_part_comes(get: Get, bundle: bytes) -> None:
    answer = get(range="bytes=10-19")
    assert (answer.status, answer.content) == (206, bundle[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{len(bundle)}"
    assert get(range="bytes=10-").content == bundle[10:]


def test_a_part_of_another_file_is_not_asked_for(get: Get, release: Release, bundle: bytes) -> None:
    assert get(range="bytes=10-", if_range=f'"{release.sha256}"').status == 206
    assert get(range="bytes=10-", if_range='"other"').content == bundle


def test_behind_the_end_there_is_nothing(get: Get, bundle: bytes) -> None:
    answer = get(range=f"bytes={len(bundle)}-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(bundle)}")
    assert answer.headers["cache-control"] == "no-store"


def test_head_says_how_long_it_is(get: Get, bundle: bytes) -> None:
    answer = get(method="HEAD")
    assert (answer.status, answer.content, answer.headers["content-length"]) == (200, b"", str(len(bundle)))
    assert not AuditEvent.objects.filter(verb="bundle.downloaded").exists()


def test_nothing_is_written(get: Get) -> None:
    assert get(method="POST").status == 405


@pytest.mark.parametrize(
    "shown", ["", "Bearer x", "Basic abc", "Bearer ", "Bearer é:é", "Bearer .x:" + "A" * 9000, "Bearer W10:W10"]
)
def test_without_a_ticket_nothing_comes(get: Get, shown: str) -> None:
    answer = get(authorization=shown)
    assert (answer.status, answer.content) == (401, b"This is no ticket of ours.\n")
    assert answer.headers["cache-control"] == "no-store"


def test_another_bundle_is_not_opened(ticket: str) -> None:
    answer = ask(Desk(Turns(0)), "0" * 64, authorization=f"Bearer {ticket}")
    assert (answer.status, answer.content) == (401, b"This ticket is for another bundle.\n")


def test_a_bundle_that_is_not_whole_is_not_sent(get: Get, release: Release, settings: Any) -> None:
    path = settings.REPOSITORY / release.bundle
    path.write_bytes(path.read_bytes()[:-1])
    answer = get()
    assert answer.status == 503
    assert b"is not whole in the repository. Add it again." in answer.content


def test_the_record_has_one_beginning_and_one_end(get: Get, release: Release, bundle: bytes) -> None:
    for _ in range(3):
        get(range="bytes=5-9")
        get(range="bytes=10-")
    events = list(AuditEvent.objects.filter(verb__startswith="bundle.").order_by("seq"))
    assert [event.verb for event in events] == ["bundle.download_begun", "bundle.downloaded"]
    assert [event.subject for event in events] == [f"release:{release.pk}"] * 2
    said = json.loads(events[1].body)["details"]
    assert (said["gateway"], said["ip"]) == ("fra-gw-01", "192.0.2.7")
    assert (said["start"], said["bytes"]) == (10, len(bundle) - 10)


async def served(turns: Turns, names: str, rounds: int) -> str:
    """Who got a turn, in order, when all ask again as soon as they had one."""
    order = []

    async def one(name: str) -> None:
        for _ in range(rounds):
            await turns.take(1000)
            order.append(name)

    asked: list[Coroutine[Any, Any, None]] = [one(name) for name in names]
    await asyncio.gather(*asked)
    return "".join(order)


def test_turns_go_round() -> None:
    order = async_to_sync(served)(Turns(1_000_000), "abcd", 5)
    counts = [[order[:end].count(name) for name in "abcd"] for end in range(len(order))]
    assert [count for count in counts if max(count) - min(count) > 2] == []
