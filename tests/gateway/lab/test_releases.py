"""The bundles: signed, reproducible, tied to their own folder, and bad only where meant."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab.bundle import pack
from lab.commands import LabError, run, text
from lab.fleet import CACHE
from lab.releases import Builder, Release

pytestmark = pytest.mark.gateway


@pytest.fixture(scope="module")
def builder() -> Builder:
    made = Builder(CACHE, lambda line: None)
    made.debian()
    return made


@pytest.fixture(scope="module")
def releases(builder: Builder) -> list[Release]:
    debian = builder.debian()
    return [*debian, builder.bad(debian[1])]


def test_three_versions_come_from_the_suites_oldest_first(releases: list[Release]) -> None:
    versions = [tuple(map(int, made.version.split("."))) for made in releases[:3]]
    assert versions == sorted(set(versions))
    assert [made.version for made in releases[:2]] == ["1.1.6", "1.3.0"]


def test_sums_are_signed_by_the_key_that_gateways_pin(builder: Builder, releases: list[Release]) -> None:
    ring = builder.signer.trust / "openpgp.gpg"
    policy = json.loads((builder.signer.trust / "policy.json").read_text())
    for made in releases:
        sums = made.folder / "SHA256SUMS"
        said = text(["gpgv", "--status-fd", "1", "--keyring", str(ring), f"{sums}.asc", str(sums)])
        assert f"VALIDSIG {policy['openpgp'][0]['fingerprint']} " in said
        for line in sums.read_text().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256((made.folder / name).read_bytes()).hexdigest() == digest


def test_a_changed_bundle_no_longer_fits_its_manifest(releases: list[Release]) -> None:
    made = releases[0]
    manifest = json.loads((made.folder / "manifest.json").read_text())
    bundle = (made.folder / "bundle.tar.zst").read_bytes()
    assert (len(bundle), hashlib.sha256(bundle).hexdigest()) == (
        manifest["bundle"]["size"],
        manifest["bundle"]["sha256"],
    )
    assert manifest["prefix"] == f"/var/lib/ocgate/releases/{made.release}"
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}", manifest["release"])


def test_packing_again_gives_the_same_bytes(releases: list[Release]) -> None:
    assert pack(releases[0].tree) == (releases[0].folder / "bundle.tar.zst").read_bytes()


def test_members_stay_in_four_folders_and_are_plain_files(releases: list[Release], tmp_path: Path) -> None:
    for made in releases:
        (tmp_path / "tar").write_bytes(run(["zstd", "-dc", str(made.folder / "bundle.tar.zst")]))
        with tarfile.open(tmp_path / "tar") as archive:
            members = archive.getmembers()
        assert {member.name.split("/")[0] for member in members} == {"bin", "lib", "sbin", "share"}
        assert all(member.isreg() or member.isdir() for member in members)
        assert not any(member.mode & 0o7022 for member in members)


def test_programs_use_only_the_loader_and_libraries_of_their_folder(releases: list[Release]) -> None:
    for made in releases[:3]:
        program = str(made.tree / "sbin/ocserv")
        assert text(["patchelf", "--print-interpreter", program]).startswith(
            f"/var/lib/ocgate/releases/{made.release}/"
        )
        listed = text([str(made.tree / "lib/ld-linux-x86-64.so.2"), "--list", program])
        outside = [line for line in listed.splitlines() if "=> /" in line and str(made.tree) not in line]
        assert not outside


def test_a_second_build_finds_everything_in_the_cache(releases: list[Release]) -> None:
    said: list[str] = []
    again = Builder(CACHE, said.append)
    again.bad(again.debian()[1])
    assert not said


def test_the_bad_one_refuses_late_connections_only(releases: list[Release], tmp_path: Path) -> None:
    script = (releases[3].tree / "sbin/ocserv-worker").read_text()
    stand_in = tmp_path / "ocserv-worker"
    stand_in.write_text(script.replace("/run/ocserv-seats", str(tmp_path / "seats")))
    (tmp_path / "ocserv-worker-bin").symlink_to("/bin/true")
    done = [subprocess.run(["sh", str(stand_in)], capture_output=True, check=False).returncode for _ in range(60)]
    assert not any(done[:12])
    assert 20 <= sum(done[12:]) <= 44


def test_without_a_network_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.suites.MIRROR", "http://127.0.0.1:9/debian")
    monkeypatch.setattr("lab.suites.RETRIES", 0)
    monkeypatch.setattr("lab.commands.time.sleep", lambda seconds: None)
    with pytest.raises(LabError, match="after 4 tries; the lab needs the network once"):
        Builder(tmp_path, lambda line: None).debian()
