"""The pages of changes that need a second person."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.utils import timezone

from approvals import changes
from approvals.models import Actor, Request, User
from tests.factories import pool

KIND = "tests.paint"
Browse = Callable[[str], Client]


@pytest.fixture
def painted() -> Iterator[list[str]]:
    """The colours that were applied."""
    colours: list[str] = []

    def paint(applied: changes.Applied) -> None:
        colours.append(applied.payload["colour"])

    changes.KINDS[KIND] = changes.Change("fleet.propose_config", "fleet.approve_config", paint)
    yield colours
    del changes.KINDS[KIND]


@pytest.fixture
def asked(painted: list[str], people: dict[str, User]) -> Request:
    by = people["operator"]
    return changes.propose(
        KIND,
        by=by,
        actor=Actor(kind="person", name=by.username, user_id=by.pk),
        now=timezone.now(),
        subject="wall:1",
        scope=f"pool:{pool().pk}",
        payload={"colour": "blue"},
        title="Paint the wall blue",
        lines=["It stays blue for 2 years."],
        diff="--- now\n+++ then\n@@ -1 +1 @@\n-grey\n+blue\n",
        warning="It can't be washed off.",
        why="Grey is dull.",
    )


def test_on_call_finds_it_reads_it_and_approves(browse: Browse, asked: Request, painted: list[str]) -> None:
    oncall = browse("oncall")
    assert "Paint the wall blue" in oncall.get("/").content.decode()
    assert "1 change waits for you" in oncall.get("/changes/").content.decode()
    page = oncall.get(f"/changes/{asked.pk}/").content.decode()
    for words in ("Paint the wall blue?", "It stays blue for 2 years.", "grey", "washed off", "Grey is dull."):
        assert words.replace("'", "&#x27;") in page
    answer = oncall.post(f"/changes/{asked.pk}/approve/", {"digest": asked.digest, "reason": "Nice."}, follow=True)
    assert "It was applied when the last yes was given" in answer.content.decode()
    assert painted == ["blue"]


def test_who_asked_is_told_that_somebody_else_decides(browse: Browse, asked: Request, painted: list[str]) -> None:
    page = browse("operator").get(f"/changes/{asked.pk}/").content.decode()
    assert "somebody else decides" in page
    assert "act-approve" not in page
    answer = browse("operator").post(f"/changes/{asked.pk}/approve/", {"digest": asked.digest})
    assert answer.status_code == 409
    assert "You asked for this yourself" in answer.content.decode()
    assert painted == []


def test_a_no_without_a_reason_keeps_the_page_and_says_so(browse: Browse, asked: Request) -> None:
    answer = browse("oncall").post(f"/changes/{asked.pk}/reject/", {"digest": asked.digest})
    assert answer.status_code == 409
    assert "Say why you reject it" in answer.content.decode()


def test_an_answer_to_another_digest_is_refused(browse: Browse, asked: Request, painted: list[str]) -> None:
    answer = browse("oncall").post(f"/changes/{asked.pk}/approve/", {"digest": "0" * 64, "reason": "Yes."})
    assert answer.status_code == 409
    assert "What you were shown is not what is asked now" in answer.content.decode()
    assert 'value="Yes."' in answer.content.decode()
    assert painted == []


def test_get_decides_nothing(browse: Browse, asked: Request) -> None:
    assert browse("oncall").get(f"/changes/{asked.pk}/approve/").status_code == 405


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_learns_nothing(browse: Browse, asked: Request, method: str) -> None:
    path = f"/changes/{asked.pk}/" + ("approve/" if method == "post" else "")
    assert getattr(browse("stranger"), method)(path).status_code == 404


def test_the_auditor_reads_and_has_no_button(browse: Browse, asked: Request) -> None:
    page = browse("auditor").get(f"/changes/{asked.pk}/").content.decode()
    assert "Paint the wall blue" in page
    assert "act-approve" not in page
