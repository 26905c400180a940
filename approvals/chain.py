"""The record's chain: what is hashed, and what makes it whole. No Django: an export is verified with it too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

GENESIS = "0" * 64
"""What the first entry carries as the hash before it."""

_DEPTH = 20  # nobody's details are deeper; a cycle is
_WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_READ = json.JSONDecoder().decode


@dataclass(frozen=True)
class Head:
    """The last entry: its sequence number and hash. Kept elsewhere, it proves later that nothing was cut off."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read "SEQ:HASH"; ValueError says what is wrong with it."""
        seq, colon, digest = text.strip().partition(":")
        if not colon or not seq.isdecimal() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ValueError(f"{text!r} is no head. It looks like 1204:<64 hex digits>, as verify prints it.")
        return cls(int(seq), digest)


@dataclass(slots=True)  # not frozen: a million are made in one verification, and that would cost seconds
class Entry:
    """One event as it is stored: the hashed body, and the columns beside it."""

    seq: int
    body: str
    prev_hash: str
    hash: str
    columns: Mapping[str, str]  # at, verb, subject, actor, reason as the columns hold them


@dataclass(frozen=True)
class Finding:
    """The first entry that is wrong, and how. `kind` names it in one word: changed, removed, moved, unreadable; with
    copied checkpoints (approvals/witness.py) also cut, rewritten, older, two writers, unsigned, copy."""

    seq: int
    say: str
    kind: str = ""


@dataclass(frozen=True)
class Verified:
    """Result of a walk over the chain: how many entries were read, the last good one, the first bad one if any."""

    count: int
    head: Head
    finding: Finding | None

    def sentence(self) -> str:
        """Say the result in one sentence."""
        if self.finding:
            return f"The record is not whole: {self.finding.say}. The {self.count} events before it are good."
        return f"The record is whole: {self.count} events, head {self.head}."


def moment(at: datetime) -> str:
    """Return an aware datetime as ISO 8601 in UTC with six decimals; a naive one raises ValueError."""
    if at.tzinfo is None:
        raise ValueError("A time in the record needs a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as JSON types only. TypeError or ValueError for what has no single spelling (NaN, sets, bytes)."""
    if depth > _DEPTH:
        raise ValueError(f"Details of an event are deeper than {_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)  # also the text behind a TextChoices member
    if isinstance(value, int | float):
        return value  # NaN and infinities are refused by canonical()
    if isinstance(value, Mapping):
        return {_key(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    return _spelled(value)


def canonical(value: Mapping[str, Any]) -> str:
    """Return the one JSON text of `value`: keys sorted, no spaces, no escapes that are not needed.

    Floats take Python's shortest round-trip form. The text is stored and hashed as it is, never made again from
    parsed values, so no reader has to print a float as we do.
    """
    text = _WRITE(plain(value))
    text.encode()  # a lone surrogate has no UTF-8, and so no hash: fail here, not at the database
    return text


def leaf(body: str) -> str:
    """Return the RFC 6962 leaf hash of a body: SHA-256(0x00 || UTF-8), lower-case hex."""
    return hashlib.sha256(b"\x00" + body.encode()).hexdigest()


def check(
    entries: Iterable[Entry],
    *,
    trusted: Head | None = None,
    after: Head | None = None,
    see: Callable[[Entry], None] | None = None,
) -> Verified:
    """Walk a chain from its first entry, or from the one behind `after`; stop at the first that is wrong.

    `trusted` is a head that was noted earlier: the chain must still contain it, which finds a cut tail and a
    rewritten whole. `see` gets each good entry.
    """
    head = start = after or Head(0, GENESIS)
    for entry in entries:
        if wrong := _wrong(entry, head) or _not_as_noted(entry, trusted):
            kind, say = wrong
            return Verified(head.seq - start.seq, head, Finding(entry.seq, say, kind))
        head = Head(entry.seq, entry.hash)
        if see is not None:
            see(entry)
    if trusted and head.seq < trusted.seq:
        say = f"event {head.seq + 1} is missing: the record ends at {head.seq}, but {trusted.seq} was noted as its head"
        return Verified(head.seq - start.seq, head, Finding(head.seq + 1, say, "cut"))
    return Verified(head.seq - start.seq, head, None)


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"Key {key!r} of an event's details is no text")
    return str(key)


def _spelled(value: Any) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in the record")


def _wrong(entry: Entry, head: Head) -> tuple[str, str] | None:
    """Kind and sentence of what is wrong with an entry behind `head`."""
    if entry.seq != head.seq + 1:
        kind = "moved" if entry.seq <= head.seq else "removed"
        return kind, f"event {entry.seq} follows {head.seq}: {_gap(head.seq, entry.seq)}"
    if leaf(entry.body) != entry.hash:
        return "changed", f"event {entry.seq} was changed: its text does not give its hash"
    if entry.prev_hash != head.hash:
        return "link", f"event {entry.seq} does not follow event {head.seq}: it names another hash before it"
    return _off_columns(entry, head)


def _gap(before: int, seq: int) -> str:
    if seq <= before:
        return "the number was given twice or runs backwards"
    return f"event {before + 1} is missing" if seq == before + 2 else f"events {before + 1} to {seq - 1} are missing"


def _off_columns(entry: Entry, head: Head) -> tuple[str, str] | None:
    """Compare what the search reads with what was hashed."""
    try:
        said = _READ(entry.body)
        # What JSON gave has no type that plain() would have to turn into another.
        if not isinstance(said, dict) or _WRITE(said) != entry.body:
            return "unreadable", f"event {entry.seq} is not in canonical form"
    except ValueError:
        return "unreadable", f"event {entry.seq} is no JSON"
    if said.get("seq") != entry.seq or said.get("prev") != head.hash:
        return "moved", f"event {entry.seq} says that it is number {said.get('seq')} after {said.get('prev')}"
    for name, shown in entry.columns.items():
        hashed = actor_column(said.get("actor")) if name == "actor" else said.get(name)
        if hashed != shown:
            return "changed", f"event {entry.seq}: its column {name} shows {shown!r}, but {hashed!r} was recorded"
    return None


def _not_as_noted(entry: Entry, trusted: Head | None) -> tuple[str, str] | None:
    if trusted and entry.seq == trusted.seq and entry.hash != trusted.hash:
        return "rewritten", f"event {entry.seq} is not the one that was noted as head: the record was written anew"
    return None


def actor_column(actor: Any) -> str:
    """Return what the actor's column shows. A user name has no colon, so no user can look like the machine."""
    if not isinstance(actor, dict):  # not Mapping: this is asked a million times, and that question is slow
        return ""
    return f"machine:{actor.get('name')}" if actor.get("kind") == "machine" else str(actor.get("name"))
