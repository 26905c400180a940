"""What changes the gateway's own mind: pinned keys, revocation lists, ocgate itself, who signs in; what may not."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from fleet.ocgate import VERSION, authorize
from fleet.ocgate.build import build
from tests.gateway.trust.company import CODE, sign
from tests.gateway.trust.conftest import Cast
from tests.gateway.trust.host import Host, Json, Recipe, hashed, statement
from tests.gateway.trust.people import Approver

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA handover"


def wanted(cast: Cast, *names: str, serial: int = 2, threshold: int = 1, **more: Any) -> str:
    """A trust statement that pins these signers, the company and alice."""
    fields: Json = {
        "serial": serial,
        "threshold": threshold,
        "group": "",
        "openpgp": [{"key": cast.keys.armoured(name), "group": "release"} for name in names],
        "cas": [{"pem": cast.company.pem, "crl": cast.company.crl(), "group": "release"}],
        "approvers": {"needed": 1, "keys": [cast.alice.row]},
    }
    return statement("trust", **{**fields, **more})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_old_signers_pin_new_ones_and_these_count_from_then_on(cast: Cast, host: Host) -> None:
    text = wanted(cast, "stranger")
    answer = host.ask("trust", statement=text, signatures=[cast.keys.sign("anna", text)])
    assert (answer["ok"], answer["result"]["serial"], answer["result"]["already"]) == (True, 2, False), answer
    release = Recipe().make(host)
    assert host.stage(release, [cast.keys.sign("anna", release.sums)])["error"]["code"] == "signer_unknown"
    assert host.stage(release, [cast.keys.sign("stranger", release.sums)])["ok"]
    assert host.stage(release, [sign(cast.cora, release.sums)])["result"]["already"]
    assert [path.name for path in host.paths.etc.iterdir() if path.is_dir()] == ["trust"]


def test_the_same_statement_again_is_no_work(cast: Cast, host: Host) -> None:
    text = wanted(cast, "anna")
    signed = [cast.keys.sign("anna", text)]
    first, second = (host.ask("trust", statement=text, signatures=signed)["result"] for _ in range(2))
    assert (first["already"], second["already"]) == (False, True)
    assert first["sha256"] == second["sha256"] == host.inventory()["trust"]["sha256"]


def test_pins_that_nobody_or_the_wrong_ones_signed(cast: Cast, host: Host) -> None:
    good, before = wanted(cast, "anna"), contents(host.paths.trust)
    cases = [
        ([], "signature_missing"),
        ([cast.keys.sign("stranger", good)], "signer_unknown"),
        ([cast.alice.sign(good)], "signature_bad"),  # approvers pin nobody
        ([cast.keys.sign("anna", wanted(cast, "bert"))], "signature_bad"),
    ]
    for signatures, code in cases:
        assert host.refused("trust", statement=good, signatures=signatures)[0] == code
    assert contents(host.paths.trust) == before


def test_pins_that_could_not_be_kept(cast: Cast, host: Host) -> None:
    before, good = contents(host.paths.trust), wanted(cast, "anna")
    cases = [
        (wanted(cast, "anna", serial=1), "trust_old"),
        (wanted(cast, "anna", threshold=0), "statement_bad"),
        (wanted(cast, "anna", more=1), "statement_bad"),
        (wanted(cast, "anna", gateway="ams-gw-01"), "statement_bad"),
        (wanted(cast, "anna", hours=-1), "statement_expired"),
        (good.replace(",", ", ", 1), "statement_bad"),
        (good.replace('"format"', '"format":1,"format"'), "statement_bad"),
        (wanted(cast, "anna", cas=[{"pem": cast.company.pem, "crl": ""}]), "statement_bad"),
        (wanted(cast, "anna", openpgp=["-----BEGIN PGP PUBLIC KEY BLOCK-----"]), "statement_bad"),
        (statement("self", serial=2), "statement_bad"),
    ]
    for text, code in cases:
        signed = [cast.keys.sign("anna", text)]
        assert host.refused("trust", statement=text, signatures=signed)[0] == code, text[:200]
    assert contents(host.paths.trust) == before


def test_new_pins_need_as_many_old_signers_as_a_release(cast: Cast, host: Host) -> None:
    host.pin({}, cast.policy("anna", "bert", threshold=2))
    text = wanted(cast, "anna")
    code, say = host.refused("trust", statement=text, signatures=[cast.keys.sign("anna", text)])
    assert (code, "signatures of 1 trusted signers; this gateway needs 2" in say) == ("signature_bad", True)
    both = [cast.keys.sign(name, text) for name in ("anna", "bert")]
    assert host.ask("trust", statement=text, signatures=both)["ok"]


def test_a_newer_revocation_list_needs_nobodys_word_but_the_cas(cast: Cast, host: Host) -> None:
    company = cast.company
    dora, release = company.give("dora-of-crl", CODE), Recipe().make(host)
    signed, first = [sign(dora, release.sums)], company.crl(hours=(-3, 24))
    host.pin({"ca-1.crl": first.encode()}, cast.with_ca("anna"))
    company.revoke(dora)
    newer = company.crl(hours=(-1, 24))
    assert [host.ask("crl", crl=newer)["result"]["already"] for _ in range(2)] == [False, True]
    assert "was revoked" in host.stage(release, signed)["error"]["say"]
    for crl, why in (
        (first, "has a newer revocation list"),
        (company.crl(hours=(-1, 0)), "has expired already"),
        (newer.replace("X509 CRL", "CERTIFICATE"), "no revocation list in PEM"),
    ):
        code, say = host.refused("crl", crl=crl)
        assert (code, why in say) == ("crl_bad", True), say
    assert host.inventory()["trust"]["cas"][0]["subject"] == "CN=Example CA"


def program(folder: Path, *, main: str = "") -> bytes:
    """An ocgate as the controller has it; `main` is another beginning."""
    made = build(folder / "ocgate")
    if main:
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("__main__.py", main)
    return made.read_bytes()


def upgrade(host: Host, data: bytes, text: str, signatures: list[Json]) -> Json:
    sent: Json = {"size": len(data), "sha256": hashed(data), "source": {"kind": "ssh"}}
    return host.ask("upgrade_self", data=data, statement=text, signatures=signatures, **sent)


def test_ocgate_takes_a_new_one_that_its_signers_signed(cast: Cast, host: Host, tmp_path: Path) -> None:
    data = program(tmp_path)
    text = statement("self", sha256=hashed(data), version=VERSION, serial=7)
    signed = [cast.keys.sign("anna", text)]
    assert [upgrade(host, data, text, signed)["result"]["already"] for _ in range(2)] == [False, True]
    assert host.paths.program.read_bytes() == data
    assert os.access(host.paths.program, os.X_OK)
    assert host.paths.program.with_name("ocgate.old").read_bytes() == b"the old program"


def test_a_program_that_may_not_be(cast: Cast, host: Host, tmp_path: Path) -> None:
    data, broken = program(tmp_path), program(tmp_path, main="raise SystemExit(3)")
    good = statement("self", sha256=hashed(data), version=VERSION, serial=7)
    bad = statement("self", sha256=hashed(broken), version=VERSION, serial=7)
    other = statement("self", sha256=hashed(data), version="9.9.9", serial=7)
    cases: list[tuple[bytes, str, list[Json], str]] = [
        (data, good, [], "signature_missing"),
        (data, good, [cast.keys.sign("stranger", good)], "signer_unknown"),
        (data, good, [cast.alice.sign(good)], "signature_bad"),
        (broken, good, [cast.keys.sign("anna", good)], "bundle_hash"),
        (broken, bad, [cast.keys.sign("anna", bad)], "program_bad"),
        (data, other, [cast.keys.sign("anna", other)], "program_bad"),
    ]
    for sent, text, signatures, code in cases:
        assert upgrade(host, sent, text, signatures)["error"]["code"] == code
    assert host.paths.program.read_bytes() == b"the old program"


def test_ocgate_never_goes_back(cast: Cast, host: Host, tmp_path: Path) -> None:
    for serial, code in ((7, ""), (6, "downgrade")):
        data = program(tmp_path, main=f"print('ocgate {serial}.0')")
        text = statement("self", sha256=hashed(data), version=f"{serial}.0", serial=serial)
        answer = upgrade(host, data, text, [cast.keys.sign("anna", text)])
        assert answer.get("error", {}).get("code", "") == code, answer


def test_ocgate_that_was_installed_is_not_replaced_by_an_older_one(cast: Cast, host: Host, tmp_path: Path) -> None:
    data = program(tmp_path, main="print('ocgate 0.1.9')")
    text = statement("self", sha256=hashed(data), version="0.1.9", serial=3)
    answer = upgrade(host, data, text, [cast.keys.sign("anna", text)])
    assert answer["error"]["code"] == "downgrade", answer
    assert host.paths.program.read_bytes() == b"the old program"


def test_approvers_say_which_keys_the_controller_has(cast: Cast, host: Host) -> None:
    keys = [KEY, f'cert-authority,principals="handover" {KEY}']
    text = statement("authorize", sha256=authorize.sha256_of(keys))
    signed = [cast.alice.sign(text)]
    first, second = (host.ask("authorize", keys=keys, statement=text, signatures=signed)["result"] for _ in range(2))
    assert (first["already"], second["already"]) == (False, True)
    forced = f'restrict,command="sudo -n {host.paths.program} serve"'
    lines = authorize.file(host.paths).read_text().splitlines()
    assert lines == [f"{forced} {KEY}", f'{forced},cert-authority,principals="handover" {KEY}']
    assert host.inventory()["authorized_keys_sha256"] == first["sha256"]


def test_older_keys_do_not_come_again_after_the_newer_ones_were_found_there(cast: Cast, host: Host) -> None:
    other = KEY.replace("handover", "other")
    old = statement("authorize", sha256=authorize.sha256_of([KEY]), made="2026-11-01T00:00:00Z")
    new = statement("authorize", sha256=authorize.sha256_of([other]), made="2026-11-02T00:00:00Z")
    path = authorize.file(host.paths)
    path.parent.mkdir(parents=True)
    path.write_text(authorize.line(other, program=host.paths.program, gateway=host.name))
    said = host.ask("authorize", keys=[other], statement=new, signatures=[cast.alice.sign(new)])
    assert said["result"]["already"]
    code, _ = host.refused("authorize", keys=[KEY], statement=old, signatures=[cast.alice.sign(old)])
    assert (code, "other" in path.read_text()) == ("statement_bad", True)


def test_keys_that_may_not_be(cast: Cast, host: Host) -> None:
    text, evil = statement("authorize", sha256=authorize.sha256_of([KEY])), f'command="sh" {KEY}'
    freed = statement("authorize", sha256=authorize.sha256_of([evil]))
    cases: list[tuple[list[str], str, list[Json], str]] = [
        ([KEY], text, [], "approval_missing"),
        ([KEY], text, [cast.keys.sign("anna", text)], "approver_unknown"),
        ([KEY + "x"], text, [cast.alice.sign(text)], "statement_bad"),
        ([evil], freed, [cast.alice.sign(freed)], "bad_request"),
        ([KEY, "\n"], text, [cast.alice.sign(text)], "statement_bad"),
    ]
    for keys, said, signatures, code in cases:
        assert host.refused("authorize", keys=keys, statement=said, signatures=signatures)[0] == code
    assert not authorize.file(host.paths).exists()


def test_two_approvers_where_two_are_needed(cast: Cast, host: Host) -> None:
    second = Approver(host.paths.etc, "alice-2")
    keys = [cast.alice.row, cast.bob.row, {**second.row, "person": "alice"}]
    approvers = {"needed": 2, "keys": keys}
    host.pin({}, {**cast.policy("anna"), "approvers": approvers})
    text = statement("authorize", sha256=authorize.sha256_of([KEY]))
    alice, bob = cast.alice.sign(text), cast.bob.sign(text)
    code, say = host.refused("authorize", keys=[KEY], statement=text, signatures=[alice, alice])
    assert (code, "signed by 1 of 2 approvers" in say) == ("approval_missing", True)
    both = [alice, second.sign(text)]
    assert host.refused("authorize", keys=[KEY], statement=text, signatures=both) == (code, say), "his second key"
    assert host.ask("authorize", keys=[KEY], statement=text, signatures=[alice, bob])["ok"]
