"""/livez and /readyz are honest: each part that is gone is named, and one that comes back is believed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

import pytest
from django.db import DatabaseError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from lab.commands import wait_until
from upgrader import engine, pulse, tasks
from upgrader.serving import programs


@pytest.fixture
def broker(settings: Any) -> Iterator[Popen[bytes]]:
    """A real one on a socket of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ready-"))
    program = programs.broker(folder)
    process = Popen(program.argv, stdout=DEVNULL)
    settings.REDIS_URL = f"unix://{folder / 'valkey.sock'}"
    wait_until(program.ready, seconds=60, what="the broker answers")
    yield process
    process.kill()
    process.wait()
    pulse.broker.cache_clear()
    shutil.rmtree(folder)


def asked(path: str = "/readyz") -> tuple[int, str]:
    answer = Client().get(path)
    return answer.status_code, answer.content.decode()


def test_ready_is_when_all_were_heard(broker: Popen[bytes], settings: Any) -> None:
    assert asked() == (503, "The clock was not heard yet: nothing begins or is decided by itself. Start it.\n")
    pulse.beat(settings.REDIS_URL, "clock")
    assert asked() == (503, "No worker has finished a tick yet: no step is run. Start one, or read its log.\n")
    tasks.tick()
    assert asked() == (200, "ready\n")


def test_a_worker_whose_tick_fails_is_not_ready(
    broker: Popen[bytes], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise DatabaseError("disk I/O error")

    pulse.beat(settings.REDIS_URL, "clock")
    monkeypatch.setattr(engine, "tick", broken)
    with pytest.raises(DatabaseError):
        tasks.tick()
    assert "No worker has finished a tick" in asked()[1]


@pytest.mark.parametrize(
    ("part", "say"), [("clock", "The clock was not heard for 60 s"), ("worker", "a tick for 60 s")]
)
def test_one_that_fell_silent_is_named(broker: Popen[bytes], settings: Any, part: str, say: str) -> None:
    for name in pulse.PARTS:
        pulse.beat(settings.REDIS_URL, name)
    at = time.time() - 60
    pulse.broker(settings.REDIS_URL).set(f"handover:pulse:{part}", at)
    (reason,) = pulse.troubles(settings.REDIS_URL, at + 60)
    assert say in reason


def test_a_broker_that_is_gone_is_named(broker: Popen[bytes]) -> None:
    broker.kill()
    broker.wait()
    assert asked() == (503, "The broker does not answer: start it, or look at REDIS_URL.\n")
    assert asked("/readyz?of=web") == (200, "ready\n")
    assert asked("/livez") == (200, "alive\n")


def test_a_database_that_is_gone_is_named(broker: Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> None:
        raise DatabaseError("could not connect to server")

    monkeypatch.setattr(MigrationExecutor, "__init__", gone)
    for path in ("/readyz", "/readyz?of=web"):
        status, say = asked(path)
        assert (status, say.splitlines()[0]) == (
            503,
            "The database does not answer: start it, or look at DATABASE_URL.",
        )
    assert asked("/livez") == (200, "alive\n")


def test_missing_tables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["0007_more"])
    assert asked("/readyz?of=web") == (503, "1 migration missing: run manage.py prepare.\n")
