"""Pages are asked through Django's own client, without a broker: live messages are lost, pages poll."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponseBase
from django.test import Client
from kombu.exceptions import OperationalError

from approvals.models import User
from tests import factories
from upgrader.celery import app

STAINS = re.compile(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _database(db: Any) -> None:
    """Every test here asks the database."""


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is down, and says so at once: a hint that is lost must not change any answer."""

    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("no broker in these tests")

    monkeypatch.setattr(app, "send_task", down)


@pytest.fixture
def people() -> dict[str, User]:
    return factories.cast()


@pytest.fixture
def browse(people: dict[str, User]) -> Callable[[str], Client]:
    """A browser in which somebody is signed in; "anonymous" is nobody."""

    def open_as(name: str) -> Client:
        client = Client()
        if name != "anonymous":
            client.force_login(people[name])
        return client

    return open_as


def assert_clean(page: HttpResponseBase) -> None:
    """The strict Content-Security-Policy would block an inline style or script: none may be rendered."""
    text = bytes(getattr(page, "content", b"")).decode()
    stain = STAINS.search(text)
    assert stain is None, text[max(0, stain.start() - 80) : stain.end() + 80]
