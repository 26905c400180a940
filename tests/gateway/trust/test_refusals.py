"""Releases that must not come in, each with its own sentence: signatures, papers, counters. Real gpgv and openssl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.trust.company import CODE, MAIL, Company, sign
from tests.gateway.trust.conftest import Cast
from tests.gateway.trust.host import Host, Json, Recipe, Release, member, statement


def no(host: Host, release: Release, *signatures: Json) -> tuple[str, str]:
    """(code, sentence) of the refusal, after which nothing of the release is here."""
    answer = host.stage(release, list(signatures))
    assert not answer["ok"], answer
    assert not host.paths.release(release.name).exists()
    return answer["error"]["code"], answer["error"]["say"]


def test_a_good_release_comes_in_by_either_kind_of_signature(cast: Cast, host: Host) -> None:
    for name, made in (("1.3.0-2", cast.keys.sign), ("1.3.0-3", lambda _, text: sign(cast.cora, text))):
        release = Recipe(name=name).make(host)
        answer = host.stage(release, [made("anna", release.sums)])
        assert answer["ok"], answer
        assert answer["result"]["digest"] == release.digest


def test_two_kinds_of_signers_reach_a_threshold_of_two(cast: Cast, host: Host) -> None:
    host.pin({}, cast.with_ca("anna", threshold=2))
    release = Recipe().make(host)
    anna = cast.keys.sign("anna", release.sums)
    assert no(host, release, anna)[0] == "signature_bad"
    assert host.stage(release, [anna, sign(cast.cora, release.sums)])["ok"]


def test_no_signature_and_an_empty_one(cast: Cast, host: Host) -> None:
    release = Recipe().make(host)
    assert no(host, release) == ("signature_missing", "The release carries no signature; nothing was changed.")
    for name in ("anna.asc", "cora.p7s"):
        assert no(host, release, {"name": name, "text": ""}) == ("signature_bad", f"{name} is empty.")


def test_a_threshold_of_zero(cast: Cast, host: Host) -> None:
    release = Recipe().make(host)
    host.pin({}, cast.policy("anna", threshold=0))
    code, say = no(host, release, cast.keys.sign("anna", release.sums))
    assert (code, "threshold must be a whole number, 1 or more" in say) == ("policy_bad", True)


def test_the_same_signer_under_two_key_ids(cast: Cast, host: Host) -> None:
    subkey = cast.keys.add_subkey("bert")
    host.pin({"openpgp.gpg": cast.keyring()}, cast.policy("anna", "bert", threshold=2))
    release = Recipe().make(host)
    twice = [cast.keys.sign("bert", release.sums, key=key) for key in (cast.prints["bert"], subkey)]
    code, say = no(host, release, *twice)
    assert (code, "signatures of 1 trusted signers; this gateway needs 2" in say) == ("signature_bad", True)
    assert host.stage(release, [*twice, cast.keys.sign("anna", release.sums)])["ok"]


def test_a_revoked_and_an_expired_key(cast: Cast, host: Host) -> None:
    carl, dora = cast.keys.make("carl"), cast.keys.make("dora", at="20200101T000000", expires="1d")
    release = Recipe().make(host)
    signed = [
        cast.keys.sign("carl", release.sums),
        cast.keys.sign("dora", release.sums, "--faked-system-time", "20200101T010000"),
    ]
    cast.keys.revoke(carl)
    cast.prints.update(carl=carl, dora=dora)
    host.pin({"openpgp.gpg": cast.keyring()}, cast.policy("carl", "dora", "anna"))
    good = cast.keys.sign("anna", release.sums)
    for signature, why in zip(signed, ("whose key was revoked", "whose key has expired"), strict=True):
        code, say = no(host, release, signature, good)
        assert (code, why in say) == ("signature_bad", True)


def test_a_stranger_a_weak_digest_and_a_text_signature(cast: Cast, host: Host) -> None:
    release = Recipe().make(host)
    weak = ("--digest-algo", "SHA1", "--allow-weak-digest-algos")
    cases = [
        (cast.keys.sign("stranger", release.sums), "signer_unknown", "who is not pinned on this gateway"),
        (cast.keys.sign("anna", release.sums, *weak), "signature_bad", "uses SHA1, which is too weak"),
        (cast.keys.sign("anna", release.sums, "--textmode"), "signature_bad", "a signature over text"),
    ]
    good = cast.keys.sign("bert", release.sums)
    for signature, wanted, why in cases:
        code, say = no(host, release, good, signature)
        assert (code, why in say) == (wanted, True), say


def test_certificates_that_may_not_sign_code(cast: Cast, host: Host) -> None:
    release, company = Recipe().make(host), cast.company
    cases = [
        (company.give("mail", MAIL), "certificate for E-mail Protection"),
        (company.give("none"), "certificate for no purpose at all"),
        (company.give("late", CODE, days=(-40, -1)), "the certificate has expired"),
        (company.give("early", CODE, days=(1, 40)), "the certificate is not valid yet"),
    ]
    for given, why in cases:
        code, say = no(host, release, sign(given, release.sums))
        assert (code, why in say) == ("signature_bad", True), say


def test_a_revoked_certificate_and_lists_that_say_nothing(cast: Cast, host: Host, tmp_path: Path) -> None:
    company = Company(tmp_path / "company")
    dora, release = company.give("dora", CODE), Recipe().make(host)
    signature, before = sign(dora, release.sums), company.crl()
    company.revoke(dora)
    cases = [
        (company.crl(), "the certificate was revoked"),
        (company.crl(hours=(-48, -24)), "revocation list has expired"),
        ("", "no revocation list of its CA"),
        (cast.company.crl(), "the CA's revocation list is not signed by it"),
    ]
    for crl, why in cases:
        host.pin({"ca-1.pem": company.pem.encode(), "ca-1.crl": crl.encode()}, cast.with_ca("anna"))
        code, say = no(host, release, signature)
        assert (code, why in say) == ("signature_bad", True), say
    host.pin({"ca-1.crl": before.encode()}, cast.with_ca("anna"))
    assert host.stage(release, [signature])["ok"]


def test_a_ca_that_is_not_pinned(cast: Cast, host: Host, tmp_path: Path) -> None:
    other = Company(tmp_path / "company")  # of the same name
    release = Recipe().make(host)
    code, say = no(host, release, sign(other.give("cora", CODE), release.sums))
    assert (code, "a certificate of no CA that is pinned" in say) == ("signer_unknown", True), say
    host.pin({}, cast.policy("anna"))
    assert no(host, release, sign(cast.cora, release.sums))[0] == "signer_unknown"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-md", "sha1"], "uses SHA1, which is too weak"),
        (["-nodetach"], "it carries a text of its own"),
    ],
)
def test_a_cms_signature_that_is_made_badly(cast: Cast, host: Host, options: list[str], why: str) -> None:
    release = Recipe().make(host)
    code, say = no(host, release, sign(cast.cora, release.sums, *options))
    assert (code, why in say) == ("signature_bad", True), say


def test_a_cms_signature_in_letters_that_no_base64_has(cast: Cast, host: Host) -> None:
    release = Recipe().make(host)
    assert no(host, release, {"name": "cora.p7s", "text": "MIIé"})[0] == "signature_bad"


def test_two_signers_in_one_cms_file(cast: Cast, host: Host) -> None:
    release, dora = Recipe().make(host), cast.company.give("dora2", CODE)
    two = sign(cast.cora, release.sums, "-signer", str(dora.pem), "-inkey", str(dora.key))
    assert no(host, release, two) == ("signature_bad", "release.p7s has 2 signers; one file is for one signer.")


@pytest.mark.parametrize("kind", ["openpgp", "cms"])
def test_a_signature_over_another_release(cast: Cast, host: Host, kind: str) -> None:
    def signed(text: str) -> Json:
        return cast.keys.sign("anna", text) if kind == "openpgp" else sign(cast.cora, text)

    good, other = Recipe().make(host), Recipe(name="1.3.0-9").make(host)
    code, say = no(host, other, signed(good.sums))
    assert (code, "does not fit" in say) == ("signature_bad", True), say
    mixed = Release(other.name, other.manifest, good.sums, other.bundle)
    code, say = no(host, mixed, signed(good.sums))
    assert (code, say) == ("manifest_bad", "manifest.json is not the one that SHA256SUMS was signed for.")


PAPERS: dict[str, tuple[Recipe, str]] = {
    "a field twice": (
        Recipe(manifest=lambda text: text.replace('"counter"', '"counter": 9, "counter"')),
        "'counter' stands there twice",
    ),
    "no counter": (Recipe(manifest=lambda text: text.replace('"counter"', '"count"')), "no whole number"),
    "another product": (Recipe(manifest=lambda text: text.replace('"ocserv"', '"other"')), "product is 'other'"),
    "another prefix": (Recipe(manifest=lambda text: text.replace("/releases/", "/other/")), "prefix is"),
    "no JSON": (Recipe(manifest=lambda text: text[:-1]), "can't be read"),
    "another file": (Recipe(sums=lambda text: text + f"{'0' * 64}  install.sh\n"), "differs in install.sh"),
    "a name twice": (Recipe(sums=lambda text: text + text.splitlines()[0] + "\n"), "names manifest.json twice"),
    "no change log": (
        Recipe(sums=lambda text: "".join(line for line in text.splitlines(True) if "CHANGE" not in line)),
        "differs in CHANGELOG.md",
    ),
    "a line without a hash": (Recipe(sums=lambda text: text + "hello  x\n"), "a line that can't be read"),
}


@pytest.mark.parametrize("case", PAPERS)
def test_papers_that_were_signed_and_are_wrong(cast: Cast, host: Host, case: str) -> None:
    recipe, why = PAPERS[case]
    release = recipe.make(host)
    code, say = no(host, release, cast.keys.sign("anna", release.sums))
    assert (code, why in say) == ("manifest_bad", True), say


def test_a_lower_counter_comes_with_the_word_of_an_approver_only(cast: Cast, host: Host) -> None:
    host.paths.lib.mkdir(exist_ok=True)
    host.paths.state.write_text(json.dumps({"fence": 0, "counter": 1_004_000}))
    release = Recipe().make(host)
    signed = [cast.keys.sign("anna", release.sums)]
    code, say = no(host, release, *signed)
    assert (code, "1003000" in say, "1004000" in say) == ("downgrade", True, True)
    word = downgrade(release.digest)
    for text, signature, wanted in (
        (word, cast.keys.sign("anna", word), "approver_unknown"),
        (downgrade("0" * 64), cast.alice.sign(downgrade("0" * 64)), "statement_bad"),
        (word, cast.alice.sign(word, namespace="file"), "signature_bad"),
        (word, {**cast.alice.sign(word), "name": "bob.sig"}, "signature_bad"),
    ):
        said = [{"text": text, "signatures": [signature]}]
        assert host.stage(release, signed, statements=said)["error"]["code"] == wanted
    assert host.stage(release, signed, statements=[{"text": word, "signatures": [cast.alice.sign(word)]}])["ok"]


def test_what_ran_here_may_come_back(cast: Cast, host: Host) -> None:
    host.paths.lib.mkdir(exist_ok=True)
    host.paths.state.write_text(json.dumps({"fence": 0, "counter": 1_004_000, "ran": ["1.3.0-2"]}))
    release = Recipe().make(host)
    assert host.stage(release, [cast.keys.sign("anna", release.sums)])["ok"]


def test_mending_is_no_way_to_another_release_of_the_same_name(cast: Cast, host: Host) -> None:
    first = Recipe().make(host)
    other = Recipe(members=[member("lib/old.so", b"x")], counter=1_003_001).make(host)
    assert host.stage(first, [cast.keys.sign("anna", first.sums)])["ok"]
    asked: tuple[dict[str, Any], ...] = ({"mend": 1}, {})
    for how in asked:
        answer = host.stage(other, [cast.keys.sign("anna", other.sums)], **how)
        assert answer["error"]["code"] == "release_differs", answer
    assert not (host.paths.release(first.name) / "lib").exists()
    (host.paths.release(first.name) / "manifest.json").write_text("{}")
    assert host.stage(first, [cast.keys.sign("anna", first.sums)])["error"]["code"] == "release_differs"
    assert host.stage(first, [cast.keys.sign("anna", first.sums)], mend=1)["ok"]


def test_another_release_of_a_name_that_ran_here_did_not(cast: Cast, host: Host) -> None:
    host.paths.lib.mkdir(exist_ok=True)
    ran = {"ran": ["1.3.0-2"], "digests": {"1.3.0-2": "0" * 64}}
    host.paths.state.write_text(json.dumps({"fence": 0, "counter": 1_004_000, **ran}))
    release = Recipe().make(host)
    assert no(host, release, cast.keys.sign("anna", release.sums))[0] == "downgrade"


def downgrade(digest: str) -> str:
    return statement("downgrade", digest=digest, release="1.3.0-2")
