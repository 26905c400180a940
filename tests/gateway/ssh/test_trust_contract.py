"""What both adapters promise about inventory, pinned keys, the program and the counter of releases."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from fleet.errors import GiveUp
from fleet.ocgate.statement import canonical
from fleet.ports import Program, ReleaseFiles, Statement
from tests.gateway.ssh.conftest import NEW, OLD, Site

SIGNED = (("release.asc", "-----BEGIN PGP SIGNATURE-----"),)
APPROVED = (("alice.sig", "-----BEGIN SSH SIGNATURE-----"),)


def said(kind: str, **fields: Any) -> str:
    times = {"made": "2027-01-01T00:00:00Z", "expires": "2027-12-01T00:00:00Z"}
    return canonical({"format": 1, "kind": kind, "gateway": "*", **times, **fields})


def pins(serial: int, *, threshold: int = 1) -> str:
    approvers = {"needed": 1, "keys": [{"name": "alice", "key": "ssh-ed25519 AAAA"}]}
    return said("trust", serial=serial, threshold=threshold, group="", openpgp=["KEY"], cas=[], approvers=approvers)


def numbered(site: Site, release: str, counter: int) -> ReleaseFiles:
    files = site.files(release)
    manifest = json.dumps({**json.loads(files.manifest), "counter": counter})
    digest = hashlib.sha256(manifest.encode()).hexdigest()
    return dataclasses.replace(files, manifest=manifest, digest=digest)


def refused(wanted: str) -> Any:
    return pytest.raises(GiveUp, check=lambda no: no.code == wanted)


def test_the_inventory_says_what_lies_and_runs_there(site: Site) -> None:
    site.real.machine.holdings.logins = [{"user": "root", "from": "192.0.2.9", "at": 1.0, "until": 0.0}]
    found = site.gateway.inventory()
    assert [(slot.slot, slot.release, slot.exe_deleted) for slot in found.slots] == [(1, OLD, False)]
    assert [release.release for release in found.releases] == [OLD]
    assert (found.conf.diff, found.conf.sha256) == ("", found.conf.agreed_sha256)
    assert found.logins[0].remote == "192.0.2.9"
    assert found.raw["trust"]["serial"] == found.trust.serial == 0


def test_an_edit_on_the_host_shows_as_a_diff_without_its_secrets(site: Site) -> None:
    site.real.machine.holdings.conf += "camouflage_secret = hunter2\n"
    site.real.machine.holdings.trees[OLD] = "0" * 64
    found = site.gateway.inventory()
    assert "+camouflage_secret = (masked-1)" in found.conf.diff
    assert "hunter2" not in found.conf.diff
    assert found.releases[0].tree == "0" * 64
    assert site.gateway.facts().conf_changed


def test_new_keys_are_pinned_once_and_never_older_ones(site: Site) -> None:
    first = site.gateway.trust(pins(3), SIGNED, fence=1)
    again = site.gateway.trust(pins(3), SIGNED, fence=1)
    assert (first.serial, first.already, again.already) == (3, False, True)
    assert site.gateway.inventory().trust.sha256 == first.sha256
    with refused("trust_old"):
        site.gateway.trust(pins(2), SIGNED, fence=1)
    assert site.real.effects == {"trust": 1}


def test_pins_need_the_old_signers_and_a_statement_of_their_kind(site: Site) -> None:
    site.gateway.trust(pins(1, threshold=2), SIGNED, fence=1)
    with refused("signature_bad"):
        site.gateway.trust(pins(2), SIGNED, fence=1)
    with refused("statement_bad"):
        site.gateway.trust(said("authorize", serial=2), SIGNED, fence=1)
    with refused("statement_expired"):
        site.gateway.trust(pins(2).replace("2027-12-01", "2027-01-02"), SIGNED, fence=1)


def test_keys_of_the_controller_change_with_the_word_of_an_approver(site: Site) -> None:
    keys = ["ssh-ed25519 BBBB"]
    statement = Statement(said("authorize", sha256=hashlib.sha256(b"ssh-ed25519 BBBB\n").hexdigest()), APPROVED)
    with refused("approval_missing"):
        site.gateway.authorize(keys, statement=statement, fence=1)
    site.gateway.trust(pins(1), SIGNED, fence=1)
    first, second = (site.gateway.authorize(keys, statement=statement, fence=1) for _ in range(2))
    assert (first.already, second.already) == (False, True)
    assert site.gateway.inventory().authorized_keys_sha256 == first.sha256
    with refused("statement_bad"):
        site.gateway.authorize(["ssh-ed25519 CCCC"], statement=statement, fence=1)


def test_ocgate_replaces_itself_and_goes_up_only(site: Site) -> None:
    new = site.folder / "ocgate"
    new.write_bytes(b"program")
    sha256 = hashlib.sha256(b"program").hexdigest()
    statement = Statement(said("self", sha256=sha256, version="0.3.0", serial=4), SIGNED)
    upgraded = site.gateway.upgrade_self(Program(new, 7, sha256), statement=statement, fence=1)
    assert (upgraded.version, upgraded.sha256, upgraded.already) == ("0.3.0", sha256, False)
    assert site.gateway.facts().raw["ocgate_sha256"] == sha256
    new.write_bytes(b"another")
    other = hashlib.sha256(b"another").hexdigest()
    older = Statement(said("self", sha256=other, version="0.2.0", serial=3), SIGNED)
    with refused("downgrade"):
        site.gateway.upgrade_self(Program(new, 7, other), statement=older, fence=1)


def test_a_lower_release_needs_the_word_downgrade(site: Site) -> None:
    site.gateway.stage(numbered(site, NEW, 1_003_000), fence=1, progress=lambda *_: None)
    site.gateway.start(NEW, 2, fence=1)
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    lower = numbered(site, "1.2.4-1", 1_002_004)
    with refused("downgrade"):
        site.gateway.stage(lower, fence=1, progress=lambda *_: None)
    site.gateway.trust(pins(1), SIGNED, fence=1)
    word = Statement(said("downgrade", digest=lower.digest, release=lower.release), APPROVED)
    allowed = dataclasses.replace(lower, statements=(word,))
    assert not site.gateway.stage(allowed, fence=1, progress=lambda *_: None).already
    assert site.gateway.inventory().counter == 1_003_000


def test_check_says_what_start_would_refuse(site: Site) -> None:
    lower = numbered(site, "1.2.4-1", 1_002_004)
    site.gateway.stage(lower, fence=1, progress=lambda *_: None)
    site.gateway.stage(numbered(site, NEW, 1_003_000), fence=1, progress=lambda *_: None)
    site.gateway.start(NEW, 2, fence=1)
    site.gateway.shift({2: 100}, seconds=60, fence=1)
    site.gateway.commit(2, fence=1)
    assert [finding.code for finding in site.gateway.check(lower.release, 3).findings] == ["downgrade"]
    with refused("downgrade"):
        site.gateway.start(lower.release, 3, fence=1)
