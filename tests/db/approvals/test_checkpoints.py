"""Checkpoints: signed when due, never over what is not whole, copied, and found again by the verifier."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import audit, checkpoints, copied, copies, copy_out, triggers
from approvals.merkle import root
from approvals.models import Actor, AuditEvent, Checkpoint, CheckpointCopy, RecordHalt
from approvals.signed_note import verify
from approvals.verify import Result, examine

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LI = Actor(kind="person", name="li", user_id=7)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def copy(settings: Any, tmp_path: Path) -> Path:
    settings.CHECKPOINT_KEY = "a key for these tests"
    settings.CHECKPOINT_FILE = str(tmp_path / "copy")
    settings.CHECKPOINT_SYSLOG = settings.CHECKPOINT_WEBHOOK = ""
    return tmp_path / "copy"


@pytest.fixture
def open_hand() -> Iterator[None]:
    """The triggers are off: whoever owns the tables can do that."""
    triggers.remove(connection)
    yield
    triggers.install(connection)


def events(count: int, verb: str = "did") -> None:
    with transaction.atomic():
        for number in range(count):
            audit.append(verb, subject=f"thing:{number}", actor=LI, at=NOW)


def sizes() -> list[int]:
    return list(Checkpoint.objects.order_by("number").values_list("size", flat=True))


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def judged(copy: Path) -> Result:
    key, out = checkpoints.key(), StringIO()
    assert key is not None
    audit.export(out)
    with copy.open() as lines:
        return examine(out.getvalue().splitlines(keepends=True), copies=copied.read(lines, [key]))


def say_halt() -> str:
    return "; ".join(f"{halt.kind}: {halt.say}" for halt in checkpoints.halts())


def test_an_empty_record_has_nothing_to_sign() -> None:
    assert checkpoints.make(now=NOW) == 0
    assert checkpoints.key() is None


def test_one_is_made_every_100_events_and_after_50_seconds_idle_or_not() -> None:
    events(250)
    assert checkpoints.make(now=NOW) == 3  # 251: the key is named in the record before it signs
    assert checkpoints.make(now=later(49)) == 0
    events(99)
    assert checkpoints.make(now=later(49)) == 0
    events(1)
    assert checkpoints.make(now=later(49)) == 1
    assert checkpoints.make(now=later(99)) == 1
    assert sizes() == [100, 200, 251, 351, 351]


def test_what_is_signed_is_the_root_over_all_leaves() -> None:
    events(130)
    checkpoints.make(now=NOW)
    made = Checkpoint.objects.get(number=2)
    signed = verify(made.note, [key for key in [checkpoints.key()] if key])
    leaves = [bytes.fromhex(digest) for digest in AuditEvent.objects.order_by("seq").values_list("hash", flat=True)]
    assert (signed.size, signed.root, signed.at) == (131, root(leaves), NOW)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE approvals_checkpoint SET size = 1",
        "DELETE FROM approvals_checkpoint",
        pytest.param("INSERT OR REPLACE INTO approvals_checkpoint SELECT * FROM approvals_checkpoint", id="replace"),
        "TRUNCATE approvals_checkpoint",
    ],
)
def test_the_database_refuses_to_change_checkpoints(sql: str) -> None:
    events(1)
    checkpoints.make(now=NOW)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert sizes() == [2]


def test_another_key_is_named_in_the_record_before_it_signs(settings: Any) -> None:
    events(1)
    checkpoints.make(now=NOW)
    before = checkpoints.key()
    settings.CHECKPOINT_KEY = "another key"
    checkpoints.make(now=later(60))
    told = json.loads(AuditEvent.objects.get(seq=3).body)["details"]
    assert (told["before"], told["key"]) == (str(before), str(checkpoints.key()))
    assert Checkpoint.objects.get(number=2).key == told["key"]


def test_the_copy_has_every_checkpoint_and_every_leaf(copy: Path) -> None:
    events(250)
    checkpoints.make(now=NOW)
    assert (copies.send("file", now=NOW), copies.send("file", now=NOW)) == (3, 0)
    result = judged(copy)
    assert result.finding is None
    assert len(result.witness.copies.leaves) == 251 * copied.HASH
    assert copies.standings()[0].sentence == "All checkpoints have reached file."


def test_a_new_empty_file_gets_all_of_it_again(copy: Path) -> None:
    events(150)
    checkpoints.make(now=NOW)
    copies.send("file", now=NOW)
    copy.unlink()
    checkpoints.make(now=later(60))
    assert copies.send("file", now=later(60)) == 3
    assert judged(copy).finding is None


def test_a_place_that_fails_is_tried_again_and_says_since_when(settings: Any, copy: Path) -> None:
    events(1)
    checkpoints.make(now=NOW)
    settings.CHECKPOINT_FILE = str(copy.parent / "no such folder" / "copy")
    assert copies.send("file", now=NOW) == 0
    standing = copies.standings()[0]
    assert standing.sentence.startswith("1 checkpoint has not reached file since 2026-11-23 12:00 UTC: ")
    assert (standing.late(later(179)), standing.late(later(180))) == (False, True)
    settings.CHECKPOINT_FILE = str(copy)
    assert copies.send("file", now=later(5)) == 0  # not yet
    assert copies.send("file", now=later(10)) == 1
    assert not copies.standings()[0].late(later(999))


def test_an_older_database_is_found_by_the_file_and_signs_nothing(copy: Path, open_hand: None) -> None:
    events(120)
    checkpoints.make(now=NOW)
    events(120)
    checkpoints.make(now=later(60))
    copies.send("file", now=later(60))
    Checkpoint.objects.filter(number__gt=2).delete()
    AuditEvent.objects.filter(seq__gt=130).delete()
    CheckpointCopy.objects.update(number=2, size=121)
    assert checkpoints.make(now=later(120)) == 0
    assert say_halt().startswith(
        f"older: The copy in {copy} has a checkpoint of 241 events, signed on 2026-11-23 12:01"
    )
    assert AuditEvent.objects.latest("seq").verb == "record.halted"
    assert checkpoints.make(now=later(180)) == 0
    assert RecordHalt.objects.count() == 1


def test_who_goes_on_after_that_does_so_under_another_name(copy: Path, open_hand: None) -> None:
    test_an_older_database_is_found_by_the_file_and_signs_nothing(copy, None)
    old = checkpoints.key()
    checkpoints.begin_anew(actor=LI, why="The disk died; the backup of noon is what we have.", now=later(200))
    assert not checkpoints.halts()
    assert checkpoints.key() != old
    events(100)
    assert checkpoints.make(now=later(260)) == 1
    assert copies.send("file", now=later(260)) == 2
    assert judged(copy).finding is None


def test_another_writer_is_found_by_the_file(copy: Path) -> None:
    events(120)
    checkpoints.make(now=NOW)
    copies.send("file", now=NOW)
    origin = Checkpoint.objects.get(number=1).origin
    note = checkpoints.signer(origin).sign(100, bytes(32), at=later(5))
    with copy.open("a") as out:
        out.write(copied.note_line(origin, 2, note) + "\n")
    assert checkpoints.make(now=later(60)) == 0
    assert "that this database does not know" in say_halt()


def test_what_syslog_and_webhook_get_verifies_the_record(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    got: dict[str, list[str]] = {"syslog": [], "webhook": []}
    monkeypatch.setattr(copy_out, "syslog", lambda lines, *, at: got["syslog"].extend(lines))
    monkeypatch.setattr(copy_out, "webhook", lambda said, *, number: got["webhook"].append(json.dumps(said)))
    monkeypatch.setitem(copies._CHUNKS, "webhook", 40)
    settings.CHECKPOINT_SYSLOG, settings.CHECKPOINT_WEBHOOK = "udp://log.example.org", "https://log.example.org"
    events(150)
    checkpoints.make(now=NOW)
    key, out = checkpoints.key(), StringIO()
    audit.export(out)
    for place, lines in got.items():
        assert copies.send(place, now=NOW) == 2
        held = copied.read(lines, [key] if key else [])
        assert examine(out.getvalue().splitlines(), copies=held).finding is None
        assert (len(held.leaves), held.bad) == (151 * copied.HASH, [])


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (lambda rows: rows.filter(seq=90).update(hash="f" * 64), "rewritten"),
        (lambda rows: rows.filter(seq__gt=80).delete(), "cut"),
    ],
    ids=["changed", "cut"],
)
def test_nothing_is_signed_over_what_was_changed_behind_us(harm: Any, kind: str, open_hand: None) -> None:
    events(100)
    checkpoints.make(now=NOW)
    harm(AuditEvent.objects)
    assert checkpoints.make(now=later(60)) == 0
    assert say_halt().startswith(f"{kind}: ")


def test_nothing_is_signed_over_new_events_that_are_not_whole(open_hand: None) -> None:
    events(10)
    checkpoints.make(now=NOW)
    events(10)
    AuditEvent.objects.filter(seq=15).update(reason="other")
    checkpoints.make(now=later(60))
    assert sizes() == [11, 14]
    assert say_halt() == (
        "changed: The record is not whole: event 15: its column reason shows 'other', but '' was recorded."
    )
