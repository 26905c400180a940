from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pysequoia import ArmorKind, Sig, SignatureMode, armor, sign

from approvals.errors import Refused
from releases import openpgp, trust
from releases.signatures import Signer
from tests.unit.releases import desk

NOW = datetime.now(UTC)
SUMS = b"the exact bytes\n"
LI, KIM, EVE = desk.key("li"), desk.key("kim"), desk.key("eve")


def signer(name: str, validity_seconds: int | None = None) -> Signer:
    tsk = desk.key(name, validity_seconds)
    return Signer(desk.fingerprint(tsk), name.title(), desk.public(tsk), active=True)


SIGNERS = [signer("li"), signer("kim")]


def by(*names: str) -> list[str]:
    return [desk.fingerprint(desk.key(name)) for name in names]


def verified(*blobs: bytes, threshold: int = 1, signers: list[Signer] = SIGNERS, now: datetime = NOW) -> list[str]:
    names = ["SHA256SUMS.asc", "SHA256SUMS.2.asc", "SHA256SUMS.3.asc"]
    given = dict(zip(names, blobs, strict=False))
    return [good.identity for good in trust.verified(SUMS, given, signers=signers, threshold=threshold, now=now)]


def say(*blobs: bytes, threshold: int = 1, signers: list[Signer] = SIGNERS, now: datetime = NOW) -> str:
    with pytest.raises(Refused) as refusal:
        verified(*blobs, threshold=threshold, signers=signers, now=now)
    return refusal.value.say


def joined(*blobs: bytes) -> bytes:
    """Put signatures into one armour, as gpg does for several --local-user."""
    return bytes(armor(b"".join(bytes(Sig.from_bytes(blob)) for blob in blobs), ArmorKind.Signature).encode())


def test_one_trusted_signer_is_enough_for_one() -> None:
    assert verified(desk.signature(LI, SUMS)) == by("li")


def test_two_signers_in_one_file_or_in_two() -> None:
    li, kim = desk.signature(LI, SUMS), desk.signature(KIM, SUMS)
    assert len(verified(li, kim, threshold=2)) == 2
    assert verified(joined(li, kim), threshold=2) == by("li", "kim")


def test_one_signer_twice_is_one() -> None:
    two = [desk.signature(LI, SUMS), desk.signature(LI, SUMS)]
    assert say(*two, threshold=2).startswith("The release has signatures of 1 trusted signers, but needs 2.")


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_below_one_lets_nothing_pass(threshold: int) -> None:
    assert "so nothing can be trusted" in say(desk.signature(LI, SUMS), threshold=threshold)
    assert "so nothing can be trusted" in say(threshold=threshold)


def test_no_signature_and_no_signers_let_nothing_pass() -> None:
    assert "signatures of 0 trusted signers" in say()
    assert "not a trusted signer" in say(desk.signature(LI, SUMS), signers=[])


def test_a_stranger_is_named() -> None:
    sig = desk.signature(EVE, SUMS)
    issuer = str(Sig.from_bytes(sig).issuer_fingerprint).upper()
    assert say(sig) == (
        f"SHA256SUMS.asc is signed by {issuer}, who is not a trusted signer of this repository. "
        "Add the signer or have the release signed again."
    )
    assert "not a trusted signer" in say(desk.signature(LI, SUMS), sig)


def test_other_bytes_do_not_fit() -> None:
    assert say(desk.signature(LI, b"other")).startswith("SHA256SUMS.asc does not fit SHA256SUMS")


def test_a_good_one_does_not_cover_a_bad_one() -> None:
    good, bad = desk.signature(LI, SUMS), desk.signature(KIM, b"other")
    assert "does not fit" in say(good, bad)
    assert "does not fit" in say(joined(good, bad))


def test_a_strangers_signature_in_a_trusted_name_does_not_fit() -> None:
    stranger = replace(signer("eve"), public_key=SIGNERS[0].public_key)
    assert "not a trusted signer" in say(desk.signature(EVE, SUMS), signers=[stranger])


def test_a_signer_who_was_switched_off() -> None:
    assert "who is not trusted any more" in say(desk.signature(LI, SUMS), signers=[replace(SIGNERS[0], active=False)])


def test_a_revoked_key() -> None:
    off = replace(SIGNERS[0], public_key=desk.revoked(LI))
    assert "was revoked" in say(desk.signature(LI, SUMS), signers=[off])


def test_a_key_that_has_expired_since() -> None:
    sig, old = desk.signature(desk.key("old", 3600), SUMS), signer("old", 3600)
    assert verified(sig, signers=[old])
    assert "expired on" in say(sig, signers=[old], now=NOW + timedelta(hours=2))


@pytest.mark.parametrize("mode", [SignatureMode.INLINE, SignatureMode.CLEAR])
def test_only_detached_signatures(mode: SignatureMode) -> None:
    assert "SHA256SUMS.asc is no " in say(sign(LI.signer(), SUMS, mode=mode))


def test_text_around_the_signature_is_refused() -> None:
    sig = desk.signature(LI, SUMS)
    for blob in (b"Trust me\n" + sig, sig + b"\n", sig + sig, sig.replace(b"\n\n", b"\nComment: ok\n\n"), b"", b"\xff"):
        assert "text around it that nobody signed" in say(blob)


def test_a_key_instead_of_a_signature_is_refused() -> None:
    blob = desk.public(LI).encode()
    disguised = base64.encodebytes(bytes(LI.extract_certificate()))[:76]
    assert "SHA256SUMS.asc is no " in say(blob)
    assert say(b"-----BEGIN PGP SIGNATURE-----\n\n" + disguised + b"\n-----END PGP SIGNATURE-----\n")


def test_every_flipped_bit_of_a_signature_is_refused() -> None:
    sig = desk.signature(LI, SUMS)
    for bit in range(len(sig) * 8):
        flipped = bytearray(sig)
        flipped[bit // 8] ^= 1 << bit % 8
        assert say(bytes(flipped))


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A gpg home with a key; its agent ends with the module."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    run_gpg(home, "--quick-generate-key", "old@example.org", "rsa2048", "sign", "never")
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True)


def run_gpg(home: Path, *arguments: str, data: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--passphrase", "", "--quiet", "--armor", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ([], ""),
        (["--digest-algo", "SHA1"], "uses SHA1, which is too weak"),
        (["--digest-algo", "SHA224"], "uses SHA224, which is too weak"),
        (["--textmode"], "a signature over text, not over the exact bytes"),
        (["--default-sig-expire", "2030-01-01"], "the signature of Old expired on 2030-01-01"),
    ],
)
def test_signatures_by_gpg(gpg: Path, options: list[str], answer: str) -> None:
    sig = run_gpg(gpg, *options, "--detach-sign", data=SUMS)
    fingerprint, key = openpgp.public_key(run_gpg(gpg, "--export").decode(), now=NOW)
    old = Signer(fingerprint, "Old", key, active=True)
    if answer:
        assert answer in say(sig, signers=[old], now=datetime(2031, 1, 1, tzinfo=UTC))
    else:
        assert verified(sig, signers=[old]) == [fingerprint]


def test_one_signer_under_two_key_ids_is_one(gpg: Path) -> None:
    listed = run_gpg(gpg, "--with-colons", "--list-keys").decode().splitlines()
    primary = next(line.split(":")[9] for line in listed if line.startswith("fpr:"))
    run_gpg(gpg, "--quick-add-key", primary, "rsa2048", "sign", "never")
    listed = run_gpg(gpg, "--with-colons", "--list-keys").decode().splitlines()
    both = [line.split(":")[9] for line in listed if line.startswith("fpr:")]
    sigs = [run_gpg(gpg, "--local-user", f"{one}!", "--detach-sign", data=SUMS) for one in both]
    assert len({Sig.from_bytes(sig).issuer_fingerprint for sig in sigs}) == 2
    fingerprint, key = openpgp.public_key(run_gpg(gpg, "--export").decode(), now=NOW)
    old = Signer(fingerprint, "Old", key, active=True)
    assert verified(*sigs, signers=[old]) == [fingerprint]
    assert "signatures of 1 trusted signers, but needs 2" in say(*sigs, signers=[old], threshold=2)


def test_a_signature_from_the_future_is_refused(gpg: Path) -> None:
    sig = run_gpg(gpg, "--faked-system-time", "20400101T000000!", "--detach-sign", data=SUMS)
    fingerprint, key = openpgp.public_key(run_gpg(gpg, "--export").decode(), now=NOW)
    assert "does not fit" in say(sig, signers=[Signer(fingerprint, "Old", key, active=True)])


class TestPublicKey:
    def test_reads_one(self) -> None:
        assert openpgp.public_key(desk.public(LI), now=NOW)[0] == desk.fingerprint(LI)

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("", "not one OpenPGP public key but 0"),
            ("hello", "not one OpenPGP public key but 0"),
            (desk.public(LI) + desk.public(KIM), "not one OpenPGP public key"),
            (str(LI), "This is a private key"),
        ],
        ids=["nothing", "text", "two", "private"],
    )
    def test_refuses_what_is_none(self, text: str, answer: str) -> None:
        with pytest.raises(Refused, match=answer):
            openpgp.public_key(text, now=NOW)

    def test_refuses_an_expired_one(self) -> None:
        with pytest.raises(Refused, match="expired on"):
            openpgp.public_key(desk.public(desk.key("old", 3600)), now=NOW + timedelta(hours=2))
