from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from approvals import audit, triggers
from approvals.chain import canonical, leaf
from approvals.models import Actor, AuditEvent

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def five() -> Any:
    """Five events, and triggers off: whoever owns the table can do that, so the chain has to tell."""
    with transaction.atomic():
        for number in range(5):
            at = NOW - timedelta(seconds=number)  # a clock that runs backwards is no damage
            audit.append("did", subject=f"thing:{number}", actor=Actor.machine("test"), at=at, details={"n": number})
    triggers.remove(connection)
    yield
    triggers.install(connection)


def only(seq: int) -> Any:
    return AuditEvent.objects.filter(seq=seq)


def say() -> str:
    finding = audit.verify()
    return f"{finding.seq}: {finding.say}" if finding else ""


def test_untouched_is_whole() -> None:
    assert audit.verify() is None


def test_a_changed_body_is_named() -> None:
    body = only(3).get().body
    only(3).update(body=body.replace('"n":2', '"n":9'))
    assert say() == "3: event 3 was changed: its text does not give its hash"


def test_a_changed_body_with_its_hash_is_named_at_the_next() -> None:
    body = only(3).get().body.replace('"n":2', '"n":9')
    only(3).update(body=body, hash=leaf(body))
    assert say() == "4: event 4 does not follow event 3: it names another hash before it"


@pytest.mark.parametrize("column", ["verb", "subject", "actor", "reason", "at"])
def test_a_column_that_lies_is_named(column: str) -> None:
    only(2).update(**{column: NOW if column == "at" else "other"})
    assert say().startswith(f"2: event 2: its column {column} shows ")


def test_a_gap_is_named() -> None:
    only(3).delete()
    assert say() == "4: event 4 follows 2: event 3 is missing"


def test_a_cut_start_is_named() -> None:
    AuditEvent.objects.filter(seq__lte=3).delete()
    assert say() == "4: event 4 follows 0: events 1 to 3 are missing"


def test_an_event_put_in_at_the_start_is_named() -> None:
    event = only(1).get()
    event.seq, event.hash = 0, "f" * 64
    event.save(force_insert=True)
    assert say() == "0: event 0 follows 0: the number was given twice or runs backwards"


def test_a_wrong_link_is_named() -> None:
    only(4).update(prev_hash="e" * 64)
    assert say() == "4: event 4 does not follow event 3: it names another hash before it"


def test_another_spelling_of_the_same_is_named() -> None:
    body = json.dumps(json.loads(only(5).get().body))
    only(5).update(body=body, hash=leaf(body))
    assert say() == "5: event 5 is not in canonical form"


def test_a_body_with_another_number_is_named() -> None:
    body = canonical({**json.loads(only(5).get().body), "seq": 50})
    only(5).update(body=body, hash=leaf(body))
    assert say().startswith("5: event 5 says that it is number 50 after ")


def test_a_cut_tail_is_named_against_a_noted_head() -> None:
    head = audit.walk().head
    AuditEvent.objects.filter(seq__gte=4).delete()
    assert audit.verify() is None  # the chain alone can't know
    finding = audit.walk(trusted=head).finding
    assert finding is not None
    assert finding.say == "event 4 is missing: the record ends at 3, but 5 was noted as its head"


def test_a_record_written_anew_is_named_against_a_noted_head() -> None:
    head = audit.walk().head
    AuditEvent.objects.all().delete()
    with transaction.atomic():
        for _ in range(6):
            audit.append("never", subject="thing:1", actor=Actor.machine("thief"), at=NOW)
    assert audit.verify() is None
    finding = audit.walk(trusted=head).finding
    assert finding is not None
    assert finding.seq == 5


def test_command_says_one_sentence() -> None:
    out = StringIO()
    call_command("audit", "verify", stdout=out)
    assert out.getvalue() == f"The record is whole: 5 events, head {audit.walk().head}.\n"


def test_command_ends_with_1_on_damage() -> None:
    only(3).delete()
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "verify", stdout=out)
    assert ended.value.code == 1
    assert out.getvalue() == (
        "The record is not whole: event 4 follows 2: event 3 is missing. The 2 events before it are good.\n"
    )


def verifier(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the verifier where Django can't be imported."""
    command = [sys.executable, "-S", "-m", "approvals.verify", *map(str, arguments)]
    return subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)


def test_export_is_verified_without_django(tmp_path: Path) -> None:
    call_command("audit", "export", str(tmp_path / "record"), stdout=StringIO())
    ran = verifier(tmp_path / "record", "--head", audit.walk().head)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("The record is whole: 5 events, head 5:")


def test_export_of_a_damaged_record_is_bad_too(tmp_path: Path) -> None:
    only(2).update(reason="nicer")
    call_command("audit", "export", str(tmp_path / "record"), stdout=StringIO())
    ran = verifier(tmp_path / "record")
    assert ran.returncode == 1
    assert "event 2: its column reason shows 'nicer', but '' was recorded" in ran.stdout


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"seq":"1"}', "\x00", '{"seq":1,"body":1}'])
def test_an_unreadable_export_is_no_good_export(tmp_path: Path, line: str) -> None:
    (tmp_path / "record").write_text(line + "\n")
    ran = verifier(tmp_path / "record")
    assert ran.returncode == 2
    assert "line 1 of the export is no event" in ran.stderr


def test_export_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("precious")
    with pytest.raises(CommandError, match="Nothing was exported: File exists"):
        call_command("audit", "export", str(tmp_path / "record"))
    assert (tmp_path / "record").read_text() == "precious"
