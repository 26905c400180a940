"""Bytes from strangers: whatever they are, a parser says what is wrong with them in its own way, or takes them."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet.ocgate import der, openpgp, statement
from fleet.ocgate.errors import Refused

ALGORITHM = bytes.fromhex("300b0609608648016503040201")
INFO = b"\x30\x1d\x02\x01\x01\x80\x01\x00" + ALGORITHM + bytes.fromhex("300506032b6570") + b"\x04\x01\x00"
INNER = b"\x02\x01\x01\x31\x00" + bytes.fromhex("300b06092a864886f70d010701") + b"\x31" + bytes([len(INFO)]) + INFO
SIGNED = b"\x30" + bytes([len(INNER)]) + INNER
BODY = bytes.fromhex("06092a864886f70d010702") + b"\xa0" + bytes([len(SIGNED)]) + SIGNED
GOOD = b"\x30" + bytes([len(BODY)]) + BODY
CHANGES = some.lists(some.tuples(some.integers(0, 255), some.binary(max_size=3)), max_size=4)
FIELDS = {"format": 1, "kind": "config", "gateway": "*", "made": "2026-11-23T00:00:00Z", "sha256": "0" * 64}
TEXT = statement.canonical({**FIELDS, "expires": "2027-11-23T00:00:00Z"})


def changed(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    for at, new in changes:
        at %= len(data) + 1
        data = data[:at] + new + data[at + 1 :]
    return data


def test_what_is_changed_below_is_good_to_begin_with() -> None:
    assert der.cms(GOOD).signers[0].digest in der.STRONG_DIGESTS
    assert statement.parse(TEXT, kind="config", gateway="gw", now=1.8e9)["sha256"] == "0" * 64


@given(changes=CHANGES)
def test_der_is_read_or_malformed(changes: list[tuple[int, bytes]]) -> None:
    with suppress(der.Malformed):
        der.cms(changed(GOOD, changes))


@given(data=some.binary(min_size=1, max_size=90), block=some.sampled_from(["SIGNATURE", "PUBLIC KEY BLOCK"]))
def test_packets_are_read_or_malformed(data: bytes, block: str) -> None:
    text = base64.encodebytes(data).decode()
    read = openpgp.signatures if block == "SIGNATURE" else openpgp.public_key
    with suppress(openpgp.Malformed):
        read(f"-----BEGIN PGP {block}-----\n\n{text}-----END PGP {block}-----\n")


@given(changes=CHANGES)
def test_a_statement_with_any_other_byte_is_refused_or_still_canonical(changes: list[tuple[int, bytes]]) -> None:
    text = changed(TEXT.encode(), changes).decode("utf-8", "replace")
    with suppress(Refused):
        assert statement.canonical(statement.parse(text, kind="config", gateway="gw", now=1.8e9)) == text


@pytest.mark.parametrize(
    ("old", "new"),
    [('"format":1', '"format":true'), ('"format":1', '"format":1.0'), ("2027-", "\\uff12027-"), ('"*"', '["*"]')]
    + [('"2027-11-23T00:00:00Z"', "1e999"), ('"2027-11-23T00:00:00Z"', "NaN"), ("2027-11-23", "2027-02-30")]
    + [('"config"', "{}"), ('"*"', '{"a":1,"a":2}'), ('"*"', "[" * 5000), ('"*"', "1" * 5000)],
)
def test_a_statement_that_readers_could_take_for_another_is_refused(old: str, new: str) -> None:
    with pytest.raises(Refused):
        statement.parse(TEXT.replace(old, new), kind="config", gateway="gw", now=1.8e9)
