"""A record with its signed copies, and everything that somebody could do to it. For `script/bench audit` and the tests.

The events look like those of a rollout and are hashed as approvals/chain.py hashes; a template spares the canonical
JSON of each, and the first one is compared with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from approvals.chain import GENESIS, canonical, leaf, moment
from approvals.copied import leaf_line, note_line
from approvals.merkle import Range
from approvals.signed_note import Signer

Row = dict[str, Any]
BEGAN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EVERY = 100  # events between two checkpoints
SIGNER = Signer("handover/bench", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_SAYS = "Slot 2 of fra-gw-01 is started; 12 clients were counted."


def row(seq: int, prev: str, *, at: datetime = BEGAN, verb: str = "step.done") -> Row:
    """One line of an export."""
    when, subject = moment(at + timedelta(seconds=seq / 50)), f"upgrade:{seq % 5000}"
    body = (
        '{"actor":{"ip":"","kind":"machine","name":"engine","request_id":"","user_id":null},'
        f'"at":"{when}","details":{{"attempts":1,"fence":{seq},"gateway":"fra-gw-01","rollout":12,"step":"start"}},'
        f'"prev":"{prev}","reason":"{_SAYS}","seq":{seq},"subject":"{subject}","verb":"{verb}"}}'
    )
    shown = {"at": when, "verb": verb, "subject": subject, "actor": "machine:engine", "reason": _SAYS}
    return {"seq": seq, "prev_hash": prev, "hash": leaf(body), **shown, "body": body}


def rows(count: int, *, after: Row | None = None, at: datetime = BEGAN, verb: str = "step.done") -> Iterator[Row]:
    """Events behind `after`, each chained to the one before."""
    last, prev = (after["seq"], after["hash"]) if after else (0, GENESIS)
    for seq in range(last + 1, last + count + 1):
        made = row(seq, prev, at=at, verb=verb)
        prev = made["hash"]
        yield made


def checked() -> None:
    """The template gives what the product would write."""
    made = row(7, GENESIS)
    if canonical(json.loads(made["body"])) != made["body"]:
        raise AssertionError("The template of the bench is not the record's canonical JSON")


@dataclass
class Signing:
    """Signs as it is fed, and keeps what would leave the machine."""

    tree: Range = field(default_factory=Range)
    notes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    at: datetime = BEGAN

    def take(self, made: Row) -> None:
        self.tree.push(bytes.fromhex(made["hash"]))
        self.pending.append(made["hash"])
        if len(self.pending) == EVERY:
            self.sign(self.at + timedelta(seconds=1 + made["seq"] / 50))

    def sign(self, at: datetime) -> None:
        note = SIGNER.sign(self.tree.size, self.tree.root(), at=at)
        if self.pending:
            self.lines.append(leaf_line(SIGNER.name, self.tree.size - len(self.pending) + 1, self.pending))
        self.lines.append(note_line(SIGNER.name, len(self.notes) + 1, note))
        self.notes.append(note)
        self.pending = []


@dataclass
class Case:
    """What an auditor gets: the events, the record's own checkpoints, the copy, and what has to be found there."""

    rows: list[Row]
    notes: list[str]
    lines: list[str]
    kind: str = ""
    seq: int = 0

    def export(self) -> list[str]:
        notes = [json.dumps({"checkpoint": note}) for note in self.notes]
        return notes + [json.dumps(one, ensure_ascii=False) for one in self.rows]


def honest(count: int) -> Case:
    """A record with nothing wrong; its last checkpoint covers all of it."""
    made, signing = list(rows(count)), Signing()
    for one in made:
        signing.take(one)
    if signing.pending:
        signing.sign(BEGAN + timedelta(seconds=2 + count / 50))
    return Case(made, signing.notes, signing.lines)


def changed_field(case: Case) -> Case:
    """A column was changed."""
    seq = len(case.rows) // 3
    case.rows[seq - 1] = {**case.rows[seq - 1], "reason": "Nothing happened."}
    return Case(case.rows, case.notes, case.lines, "changed", seq)


def changed_body(case: Case) -> Case:
    """The text was changed, and its hash made to fit."""
    seq = len(case.rows) // 2
    body = case.rows[seq - 1]["body"].replace('"attempts":1', '"attempts":2')
    case.rows[seq - 1] = {**case.rows[seq - 1], "body": body, "hash": leaf(body)}
    return Case(case.rows, case.notes, case.lines, "changed", seq)


def removed_row(case: Case) -> Case:
    """One event was taken out."""
    seq = len(case.rows) // 4
    del case.rows[seq - 1]
    return Case(case.rows, case.notes, case.lines, "removed", seq + 1)


def cut_tail(case: Case) -> Case:
    """The last events were deleted; the record's checkpoints are still there."""
    keep = len(case.rows) - EVERY // 2 - 1
    return Case(case.rows[:keep], case.notes, case.lines, "cut", keep + 1)


def rewritten_chain(case: Case) -> Case:
    """One event was changed and everything behind it hashed anew, by somebody without the key."""
    seq = len(case.rows) // 2 + 3
    tail = list(rows(len(case.rows) - seq + 1, after=case.rows[seq - 2], verb="step.dome"))
    return Case(case.rows[: seq - 1] + tail, case.notes[: seq // EVERY], case.lines, "rewritten", seq)


def older_database(case: Case) -> Case:
    """A backup came back, with the checkpoints that it had."""
    keep = (len(case.rows) // EVERY - 2) * EVERY
    return Case(case.rows[:keep], case.notes[: keep // EVERY], case.lines, "older", keep + 1)


def older_and_written_on(case: Case) -> Case:
    """A backup came back and was written on, longer than the record that was lost."""
    keep = (len(case.rows) // EVERY - 2) * EVERY
    later = BEGAN + timedelta(days=1)
    tail = list(rows(5 * EVERY, after=case.rows[keep - 1], at=later))
    return Case(case.rows[:keep] + tail, case.notes[: keep // EVERY], case.lines, "older", keep + 1)


def two_writers(case: Case) -> Case:
    """The same database was started twice, and both signed: their checkpoints came to one copy in turns."""
    half = (len(case.rows) // EVERY // 2) * EVERY
    ours, other = Signing(), Signing()
    for made in case.rows[:half]:
        ours.take(made)
    other.tree = ours.tree.copy()
    tail = list(rows(len(case.rows) - half, after=case.rows[half - 1], verb="step.else"))
    for mine, theirs in zip(case.rows[half:], tail, strict=True):
        ours.take(mine)
        other.take(theirs)
        ours.lines += other.lines
        other.lines = []
    return Case(case.rows, ours.notes, ours.lines, "two writers", half + 1)


def forged_checkpoint(case: Case) -> Case:
    """A checkpoint in the copy was signed by somebody else."""
    thief = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    note = thief.sign(len(case.rows), bytes(32), at=BEGAN)
    return Case(case.rows, case.notes, [*case.lines, note_line(SIGNER.name, 99, note)], "unsigned", len(case.rows) + 1)


SAYS = {
    "changed": r"event {seq}(: its column| was changed)",
    "removed": r"event {seq} follows \d+: event \d+ is missing",
    "cut": r"events {seq} to \d+ are missing: the record's tail was cut",
    "rewritten": r"event {seq} is not what was signed .*rewritten from there on",
    "older": r"(events {seq} to|from event {seq} on) .*older database",
    "two writers": r"event {seq} was signed in two versions, and both went on: two writers",
    "unsigned": r"the checkpoint of \d+ events is not signed by a key that you trust",
}
"""How the verifier has to say it: kind → pattern."""


def says(case: Case, sentence: str) -> bool:
    """Whether the verifier's sentence names this case, at its event."""
    pattern = SAYS[case.kind].replace("{seq}", str(case.seq))
    return bool(re.search(f"The record is not whole: {pattern}", sentence))


TAMPERINGS: Sequence[Callable[[Case], Case]] = (
    changed_field,
    changed_body,
    removed_row,
    cut_tail,
    rewritten_chain,
    older_database,
    older_and_written_on,
    two_writers,
    forged_checkpoint,
)
