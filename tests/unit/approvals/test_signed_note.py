"""Checkpoints as C2SP writes them, and what is no checkpoint."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from approvals.signed_note import Bad, Key, Signer, read, verify

AT = datetime(2026, 11, 23, 12, 0, 7, tzinfo=UTC)
ROOT = hashlib.sha256(b"root").digest()
OURS = Signer("handover/1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer("handover/1", Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOTE = OURS.sign(1204, ROOT, at=AT)


def test_a_note_has_three_lines_and_two_signatures() -> None:
    text, _, signatures = NOTE.partition("\n\n")
    assert text.splitlines() == ["handover/1", "1204", base64.b64encode(ROOT).decode()]
    assert [line[:13] for line in signatures.splitlines()] == ["— handover/1 "] * 2
    assert read(NOTE) == ("handover/1", 1204, ROOT)


def test_the_key_reads_back_and_its_check_digits_are_of_the_specification() -> None:
    key = OURS.key
    assert Key.parse(str(key)) == key
    digest = hashlib.sha256(b"handover/1\n\x01" + key.public).digest()[:4]
    assert str(key).split("+")[1] == digest.hex()


def test_what_was_signed_is_believed_with_its_time() -> None:
    signed = verify(NOTE, [OTHER.key, OURS.key])
    assert (signed.origin, signed.size, signed.root, signed.at, signed.key) == ("handover/1", 1204, ROOT, AT, OURS.key)


def lines(note: str) -> list[str]:
    return note.splitlines(keepends=True)


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("1204", "1205"),
        OTHER.sign(1204, ROOT, at=AT),
        "".join(lines(NOTE)[:-1]),  # no time
        "".join([*lines(NOTE)[:-2], lines(NOTE)[-1]]),  # the time alone
        "".join([*lines(NOTE)[:-1], lines(OURS.sign(9, ROOT, at=AT))[-1]]),  # the time of another note
    ],
    ids=["changed", "by another", "no time", "time alone", "time of another"],
)
def test_what_was_not_signed_is_not_believed(note: str) -> None:
    with pytest.raises(Bad, match="not signed by a key that you trust"):
        verify(note, [OURS.key])


@pytest.mark.parametrize("note", ["", "a\nb\nc\n\n", "a\n01\nAAAA\n\n", "handover/1\n5\nshort\n\n"])
def test_what_is_no_checkpoint_is_said(note: str) -> None:
    with pytest.raises(Bad, match="no checkpoint"):
        read(note)


@pytest.mark.parametrize("text", ["", "x", "handover/1+00000000+AQ==", str(OURS.key)[:-4], "a b+1+2"])
def test_what_is_no_key_is_said(text: str) -> None:
    with pytest.raises(Bad, match="no key of a record"):
        Key.parse(text)


def test_a_mistyped_key_is_told_by_its_check_digits() -> None:
    with pytest.raises(Bad, match="cut or mistyped"):
        Key.parse(str(OURS.key).replace("handover/1", "handover/7"))
