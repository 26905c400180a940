"""What is read before and after gpgv and openssl: policy, armour, packets, DER, status lines. The programs themselves
are asked in tests/gateway/trust."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.ocgate import der, openpgp, policy, trust
from fleet.ocgate.errors import Refused

FPR, OTHER = "A" * 40, "B" * 40
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
VALID = f"[GNUPG:] VALIDSIG {FPR} 2026-11-23 1 0 4 0 22 10 00 {OTHER}"
GOOD = "[GNUPG:] GOODSIG AAAAAAAAAAAAAAAA Anna <anna@lab.invalid>"


def approvers(*keys: tuple[str, str], needed: int = 1) -> dict[str, Any]:
    return {"needed": needed, "keys": [{"name": name, "key": key} for name, key in keys]}


@pytest.mark.parametrize(
    "raw",
    [
        {"threshold": 0, "openpgp": [FPR]},
        {"threshold": True, "openpgp": [FPR]},
        {"threshold": 2, "openpgp": [FPR]},
        {"threshold": 2, "openpgp": [FPR, FPR]},
        {"threshold": 1, "openpgp": []},
        {"threshold": 1, "openpgp": ["AAAA"]},
        {"threshold": 1, "openpgp": FPR},
        {"openpgp": [FPR]},
        {"threshold": "1", "openpgp": [FPR]},
        {"format": 3, "threshold": 1, "openpgp": [FPR]},
        {"threshold": 1, "group": "security", "openpgp": [{"fingerprint": FPR, "group": "release"}]},
        {"threshold": 1, "openpgp": [FPR], "cas": [{"file": "../ca.pem", "crl": "ca-1.crl"}]},
        {"threshold": 1, "openpgp": [FPR], "approvers": approvers(("alice", KEY), ("bob", KEY))},
        {"threshold": 1, "openpgp": [FPR], "approvers": approvers(("*", KEY))},
        {"threshold": 1, "openpgp": [FPR], "approvers": approvers(("alice", KEY + "\n"))},
        {"threshold": 1, "openpgp": [FPR], "approvers": approvers(("alice", KEY), needed=2)},
        [],
    ],
)
def test_a_policy_that_could_let_anything_through_says_no(raw: object, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(raw))
    with pytest.raises(Refused, match="trust policy") as no:
        policy.read(tmp_path)
    assert no.value.code == "policy_bad"


def test_a_missing_policy_says_no(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="trust policy"):
        trust.verify("text", [{"name": "a.asc", "text": "x"}], tmp_path)


def test_both_formats_are_read() -> None:
    old = policy.parse({"threshold": 1, "openpgp": [FPR.lower()]})
    assert (dict(old.openpgp), old.serial, old.approvers.keys) == ({FPR: "release"}, 0, {})
    rows = [{"fingerprint": FPR, "group": "release"}, {"fingerprint": OTHER, "group": "security"}]
    ca = {"file": "ca-1.pem", "crl": "ca-1.crl", "group": "release"}
    raw = {"format": 2, "serial": 3, "gateway": "gw", "threshold": 2, "group": "release", "openpgp": rows, "cas": [ca]}
    new = policy.parse({**raw, "approvers": approvers(("alice", KEY))})
    assert (new.serial, new.gateway, new.approvers.keys) == (3, "gw", {"alice": KEY})
    assert [new.counts(group) for group in ("release", "security")] == [True, False]


def test_the_primary_key_behind_a_good_signature_counts() -> None:
    assert trust.judged(f"[GNUPG:] NEWSIG\n{GOOD}\n{VALID}\n", "a.asc") == OTHER


@pytest.mark.parametrize(
    "status",
    [
        "",
        GOOD,
        VALID,
        f"{GOOD}\n{VALID}\n{VALID}",
        f"{GOOD}\n{VALID}\n[GNUPG:] BADSIG AAAA Bert",
        f"{GOOD}\n{VALID}\n[GNUPG:] ERRSIG AAAA 22 10 00 1 5 -",
        f"[GNUPG:] REVKEYSIG AAAA Anna\n{VALID}",
        f"[GNUPG:] EXPKEYSIG AAAA Anna\n{VALID}",
        f"[GNUPG:] EXPSIG AAAA Anna\n{VALID}",
        f"GOODSIG AAAA Anna\n{VALID}",
    ],
)
def test_anything_else_that_gpgv_says_is_a_no(status: str) -> None:
    with pytest.raises(Refused) as no:
        trust.judged(status, "a.asc")
    assert no.value.code == "signature_bad"


def armoured(data: bytes, block: str = "PGP SIGNATURE", *, around: str = "{}") -> str:
    body = base64.encodebytes(data).decode()
    return around.format(f"-----BEGIN {block}-----\n\n{body}-----END {block}-----\n")


SIGNATURE = bytes([0x88, 6, 4, 0, 22, 10, 0, 0])


def test_a_signature_says_how_it_was_made() -> None:
    made = openpgp.signatures(armoured(SIGNATURE))
    assert [(one.kind, one.digest, one.packet) for one in made] == [(0, 10, SIGNATURE)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        armoured(b""),
        armoured(SIGNATURE, "PGP MESSAGE"),
        armoured(SIGNATURE, around="note\n{}"),
        armoured(SIGNATURE, around="{}more\n"),
        armoured(SIGNATURE).replace("SIGNATURE-----\n\n", "SIGNATURE-----\nComment: x\n\n", 1),
        armoured(SIGNATURE + bytes([0xCB, 1, 0])),  # literal data behind it
        armoured(bytes([0x88, 6, 3, 0, 22, 10, 0, 0])),  # version 3
        armoured(SIGNATURE[:-1]),
        armoured(bytes([0x8B, 4, 0, 22, 10])),  # of open length
        armoured(SIGNATURE).replace("-----END", "=AAAA\n-----END"),  # another checksum
    ],
)
def test_what_is_no_detached_signature_never_reaches_gpgv(text: str) -> None:
    with pytest.raises(openpgp.Malformed):
        openpgp.signatures(text)


def test_a_private_key_and_two_keys_are_no_public_key() -> None:
    public, secret = bytes([0x98, 1, 4]), bytes([0x94, 1, 4])
    assert openpgp.public_key(armoured(public, "PGP PUBLIC KEY BLOCK"))[1] == public
    for wrong in (secret, public + public, b"", SIGNATURE):
        with pytest.raises(openpgp.Malformed):
            openpgp.public_key(armoured(wrong, "PGP PUBLIC KEY BLOCK"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(openpgp.Malformed):
        assert b"".join(whole for _, _, whole in openpgp.packets(data)) == data
    with suppress(der.Malformed):
        der.cms(data)  # nothing but Malformed comes out
