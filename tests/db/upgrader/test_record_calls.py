"""Whom the record calls: nothing is signed any more, or its copies are behind; and the clock that signs and copies."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from approvals import audit, checkpoints, copies
from approvals.models import Actor, Checkpoint
from fleet.models import Alert
from upgrader import record, tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def begun(settings: Any, tmp_path: Path) -> None:
    settings.CHECKPOINT_FILE = str(tmp_path / "copy")
    with transaction.atomic():
        audit.append("did", subject="thing:1", actor=Actor.machine("test"), at=timezone.now())


def called() -> list[str]:
    return list(Alert.objects.filter(kind__in=record.KINDS, ended_at=None).values_list("say", flat=True))


def test_the_clock_signs_and_copies_and_calls_nobody(settings: Any) -> None:
    tasks.do_sign_record()
    tasks.do_copy_record("file")
    assert Checkpoint.objects.count() == 1
    assert copies.standings()[0].waiting == 0
    assert '"checkpoint"' in Path(settings.CHECKPOINT_FILE).read_text()
    assert called() == []


def test_a_halt_calls_until_somebody_has_decided() -> None:
    tasks.do_sign_record()
    checkpoints.halt("older", "It is an older database.", now=timezone.now())
    record.note(now=timezone.now())
    assert [say.split(". ")[0] for say in called()] == ["It is an older database"]
    actor = Actor.machine("test")
    checkpoints.begin_anew(actor=actor, why="The backup is what we have.", now=timezone.now())
    record.note(now=timezone.now())
    assert called() == []


def test_a_copy_that_is_behind_calls_after_three_minutes(settings: Any, tmp_path: Path) -> None:
    settings.CHECKPOINT_FILE = str(tmp_path / "nowhere" / "copy")
    now = timezone.now()
    checkpoints.make(now=now - timedelta(minutes=3, seconds=1))
    checkpoints.make(now=now)
    copies.send("file", now=now)
    record.note(now=now)
    (say,) = called()
    assert say.startswith("2 checkpoints have not reached file since ")
    settings.CHECKPOINT_FILE = str(tmp_path / "copy")
    copies.send("file", now=now + copies.AGAIN)
    record.note(now=now + copies.AGAIN)
    assert called() == []


def test_a_record_that_nobody_signs_calls(settings: Any) -> None:
    settings.CHECKPOINT_FILE = ""
    checkpoints.make(now=timezone.now() - timedelta(minutes=4))
    record.note(now=timezone.now())
    (say,) = called()
    assert say.startswith("No checkpoint of the record was signed since ")
