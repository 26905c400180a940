"""Signatures as gpgv reports them, with real keys: revoked, expired, SHA-1, stranger, threshold."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.ocgate import trust
from fleet.ocgate.errors import Refused

SUMS = "00  manifest.json\n"


class Keys:
    """A GnuPG home with a few keys, made once."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)

    def gpg(self, *words: str, stdin: str = "", check: bool = True) -> bytes:
        argv = [
            "gpg",
            "--homedir",
            str(self.home),
            "--batch",
            "--yes",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]
        return subprocess.run([*argv, *words], input=stdin.encode(), capture_output=True, check=check).stdout

    def make(self, name: str, *, at: str = "", expires: str = "never") -> str:
        clock = ["--faked-system-time", at] if at else []
        self.gpg(*clock, "--quick-generate-key", f"{name}@lab.invalid", "ed25519", "sign", expires)
        lines = self.gpg("--with-colons", "--list-keys", f"{name}@lab.invalid").decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr"))

    def sign(self, name: str, *options: str) -> dict[str, str]:
        text = self.gpg(*options, "-u", f"{name}@lab.invalid", "--armor", "--detach-sign", stdin=SUMS).decode()
        return {"name": f"{name}.asc", "text": text}

    def revoke(self, fingerprint: str) -> None:
        path = self.home / "openpgp-revocs.d" / f"{fingerprint}.rev"
        self.gpg("--import", stdin=path.read_text().replace(":-----BEGIN", "-----BEGIN"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    keys = Keys(tmp_path_factory.mktemp("gpg") / "home")
    yield keys
    subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=False)


@pytest.fixture(scope="module")
def names(keys: Keys) -> dict[str, str]:
    """Fingerprints by name, pinned or not."""
    return {name: keys.make(name) for name in ("anna", "bert", "stranger")}


@pytest.fixture
def pinned(keys: Keys, names: dict[str, str], tmp_path: Path) -> Path:
    """A trust folder with everybody's key in the keyring and anna and bert in the policy."""
    return pin(keys, tmp_path, {"threshold": 1, "openpgp": [names["anna"], names["bert"]]})


def pin(keys: Keys, folder: Path, policy: dict[str, object]) -> Path:
    (folder / "openpgp.gpg").write_bytes(keys.gpg("--export"))
    (folder / "policy.json").write_text(json.dumps(policy))
    return folder


def refusal(folder: Path, *signatures: dict[str, str], sums: str = SUMS) -> str:
    with pytest.raises(Refused) as refused:
        trust.verify(sums, list(signatures), folder)
    return refused.value.code


def test_a_pinned_signer_is_enough(keys: Keys, names: dict[str, str], pinned: Path) -> None:
    assert trust.verify(SUMS, [keys.sign("anna")], pinned) == [names["anna"]]


def test_two_signatures_of_one_person_are_one(keys: Keys, names: dict[str, str], tmp_path: Path) -> None:
    folder = pin(keys, tmp_path, {"threshold": 2, "openpgp": [names["anna"], names["bert"]]})
    assert refusal(folder, keys.sign("anna"), keys.sign("anna")) == "signature_bad"
    assert len(trust.verify(SUMS, [keys.sign("anna"), keys.sign("bert")], folder)) == 2


def test_a_stranger_a_changed_text_and_no_signature_are_refused(keys: Keys, pinned: Path) -> None:
    assert refusal(pinned, keys.sign("stranger")) == "signer_unknown"
    assert refusal(pinned, keys.sign("anna"), sums=SUMS + "x") == "signature_bad"
    assert refusal(pinned) == "signature_missing"
    assert refusal(pinned, {"name": "a.asc", "text": ""}) == "signature_bad"


def test_sha1_is_refused(keys: Keys, pinned: Path) -> None:
    weak = keys.sign("anna", "--digest-algo", "SHA1", "--allow-weak-digest-algos")
    assert refusal(pinned, weak) == "signature_bad"


def test_a_revoked_and_an_expired_key_are_refused(keys: Keys, tmp_path: Path) -> None:
    carl, dora = keys.make("carl"), keys.make("dora", at="20200101T000000", expires="1d")
    signed = [keys.sign("carl"), keys.sign("dora", "--faked-system-time", "20200101T010000")]
    keys.revoke(carl)
    folder = pin(keys, tmp_path, {"threshold": 1, "openpgp": [carl, dora]})
    for signature in signed:
        assert refusal(folder, signature) == "signature_bad"


def test_cms_is_refused_with_a_sentence(pinned: Path) -> None:
    with pytest.raises(Refused, match="OpenPGP"):
        trust.verify(SUMS, [{"name": "SHA256SUMS.p7s", "text": "MII="}], pinned)


FPR = "A" * 40


@pytest.mark.parametrize(
    "policy",
    [
        {"threshold": 0, "openpgp": [FPR]},
        {"threshold": True, "openpgp": [FPR]},
        {"threshold": 2, "openpgp": [FPR]},
        {"threshold": 1, "openpgp": []},
        {"threshold": 1, "openpgp": ["AAAA"]},
        {"threshold": 1, "openpgp": FPR},
        {"openpgp": [FPR]},
        {"threshold": "1", "openpgp": [FPR]},
        [],
    ],
)
def test_a_policy_that_could_let_anything_through_says_no(policy: object, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    with pytest.raises(Refused, match="trust policy"):
        trust.read_policy(tmp_path)


def test_a_missing_policy_says_no(tmp_path: Path) -> None:
    assert refusal(tmp_path, {"name": "a.asc", "text": "x"}) == "signature_bad"
