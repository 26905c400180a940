from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from pytest_django import Settings

from approvals import audit
from approvals.models import AuditEvent, User
from releases import archive, signers
from releases.models import Release, TrustedSigner
from tests.db.releases.cast import NOW, OLA, kept, refused, take_in, trust
from tests.unit.releases import company, desk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("li")]
LI, KIM, EVE = desk.key("li"), desk.key("kim"), desk.key("eve")
FILES = ("bundle.tar.zst", "manifest.json", "CHANGELOG.md", "SHA256SUMS", "SHA256SUMS.asc")


def test_keeps_a_good_release(tmp_path: Path, repository: Path) -> None:
    folder = desk.release(tmp_path / "in", LI)
    release = take_in(folder, by=User.objects.create(username="ola"))
    assert (release.name, release.version, release.counter, release.state) == ("1.3.0-2", "1.3.0", 1003000, "ready")
    assert release.digest == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert {path.name: path.read_bytes() for path in (repository / release.digest).iterdir()} == {
        name: (folder / name).read_bytes() for name in FILES
    }
    assert [path.name for path in repository.iterdir()] == [release.digest]


def test_keeps_what_it_unpacks_to_and_where_it_came_from(tmp_path: Path) -> None:
    said = {"builder": "ci 7", "source": "git", "revision": "4f2a", "place": "build-3"}
    packed = desk.bundle(desk.member("lib/libx.so.1"))
    release = take_in(desk.release(tmp_path / "in", LI, packed=packed, provenance=said))
    assert release.provenance == said
    assert release.contents == {"files": 3, "unpacked": 12, "libraries": ["libx.so.1"]}
    assert release.tree == archive.check(io.BytesIO(packed)).tree


def test_records_who_and_what(tmp_path: Path, li: TrustedSigner) -> None:
    release = take_in(desk.release(tmp_path / "in", LI))
    event = AuditEvent.objects.get(verb="release.added")
    assert (event.subject, event.actor, event.at) == (f"release:{release.pk}", "ola", NOW)
    details = json.loads(event.body)["details"]
    assert (details["digest"], details["signers"]) == (release.digest, [li.fingerprint])


def test_the_second_time_nothing_happens(tmp_path: Path, repository: Path) -> None:
    folder = desk.release(tmp_path / "in", LI)
    first = take_in(folder)
    before = (kept(repository), AuditEvent.objects.count())
    assert take_in(folder) == first
    assert (kept(repository), AuditEvent.objects.count()) == before


def test_other_files_beside_it_are_left_out(tmp_path: Path, repository: Path) -> None:
    folder = desk.release(tmp_path / "in", LI)
    (folder / "recipe").write_text("x")
    take_in(folder)
    assert not list(repository.rglob("recipe"))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, repository: Path, name: str) -> None:
    folder = desk.release(tmp_path / "in", LI)
    (folder / name).unlink()
    assert refused(folder, repository).startswith(f"{name} is missing")


@pytest.mark.parametrize("name", FILES)
def test_a_link_or_pipe_in_its_place_is_refused(tmp_path: Path, repository: Path, name: str) -> None:
    folder = desk.release(tmp_path / "in", LI)
    (folder / name).rename(tmp_path / "real")
    (folder / name).symlink_to(tmp_path / "real")
    assert refused(folder, repository).startswith(f"{name} can't be read")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert refused(folder, repository) == f"{name} is no regular file."


@pytest.mark.parametrize("name", ["manifest.json", "CHANGELOG.md", "SHA256SUMS", "SHA256SUMS.asc"])
def test_a_huge_text_is_refused(tmp_path: Path, repository: Path, name: str) -> None:
    folder = desk.release(tmp_path / "in", LI)
    (folder / name).write_bytes(b" " * 200_000)
    assert refused(folder, repository).startswith(f"{name} is larger than ")


def test_no_folder_is_refused(tmp_path: Path, repository: Path) -> None:
    assert refused(tmp_path / "none", repository).endswith("is no folder with a release in it.")


def test_a_cut_bundle_is_refused(tmp_path: Path, repository: Path) -> None:
    folder = desk.release(tmp_path / "in", LI)
    size = (folder / "bundle.tar.zst").stat().st_size
    os.truncate(folder / "bundle.tar.zst", size - 1)
    say = f"bundle.tar.zst was cut short: {size - 1} of {size} bytes are there. Fetch it again."
    assert refused(folder, repository) == say


def test_a_longer_bundle_is_refused(tmp_path: Path, repository: Path) -> None:
    folder = desk.release(tmp_path / "in", LI)
    with (folder / "bundle.tar.zst").open("ab") as bundle:
        bundle.write(b"x")
    assert refused(folder, repository).startswith("bundle.tar.zst is longer than the ")


def test_a_bundle_of_another_release_is_refused(tmp_path: Path, repository: Path) -> None:
    mine = desk.release(tmp_path / "in", LI)
    other = desk.release(tmp_path / "other", LI, packed=desk.bundle(desk.member("lib/x")), release="1.3.0-3")
    for name in ("manifest.json", "bundle.tar.zst", "SHA256SUMS"):
        kept_aside = (mine / name).read_bytes()
        (mine / name).write_bytes((other / name).read_bytes())
        assert refused(mine, repository)
        (mine / name).write_bytes(kept_aside)
    assert take_in(mine)


def test_signed_sums_that_disagree_with_the_manifest_are_refused(tmp_path: Path, repository: Path) -> None:
    wrong = {"name": "bundle.tar.zst", "size": 9, "sha256": "a" * 64}
    say = refused(desk.release(tmp_path / "in", LI, bundle=wrong), repository)
    assert say == "manifest.json and SHA256SUMS give different hashes for bundle.tar.zst."


def test_a_signed_but_unsafe_bundle_is_refused(tmp_path: Path, repository: Path) -> None:
    packed = desk.bundle(desk.member("../../etc/cron.d/x"))
    assert "only plain paths" in refused(desk.release(tmp_path / "in", LI, packed=packed), repository)


@pytest.mark.parametrize("changelog", [b"\x1b[2J", b"a\0b", b"\xff", b"\xc2\x9b"])
def test_a_change_log_that_plays_with_terminals_is_refused(tmp_path: Path, repository: Path, changelog: bytes) -> None:
    say = refused(desk.release(tmp_path / "in", LI, changelog=changelog), repository)
    assert say in ("CHANGELOG.md holds control characters.", "CHANGELOG.md is not UTF-8.")


def test_a_stranger_is_refused(tmp_path: Path, repository: Path) -> None:
    say = refused(desk.release(tmp_path / "in", EVE), repository)
    assert "who is not a trusted signer of this repository" in say


def test_two_signers_where_two_are_needed(tmp_path: Path, repository: Path, settings: Settings) -> None:
    settings.RELEASE_THRESHOLD = 2
    trust("kim")
    assert "but needs 2" in refused(desk.release(tmp_path / "one", LI), repository)
    release = take_in(desk.release(tmp_path / "two", LI, KIM))
    assert sorted(release.signatures.values_list("name", flat=True)) == ["SHA256SUMS.1.asc", "SHA256SUMS.asc"]


def test_a_threshold_of_zero_lets_nothing_pass(tmp_path: Path, repository: Path, settings: Settings) -> None:
    settings.RELEASE_THRESHOLD = 0
    assert "so nothing can be trusted" in refused(desk.release(tmp_path / "in", LI), repository)


def test_a_name_is_given_once(tmp_path: Path, repository: Path) -> None:
    take_in(desk.release(tmp_path / "in", LI))
    say = refused(desk.release(tmp_path / "other", LI, source="elsewhere"), repository)
    assert say.startswith("1.3.0-2 is in the repository already, with the digest ")


def test_a_full_disk_leaves_nothing(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert refused(desk.release(tmp_path / "in", LI), repository).startswith("The repository's disk is full: ")


def test_a_failure_of_the_record_leaves_nothing(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("no record")

    monkeypatch.setattr(audit, "append", broken)
    folder = desk.release(tmp_path / "in", LI)
    with pytest.raises(RuntimeError, match="no record"):
        take_in(folder)
    assert kept(repository) == []
    assert not Release.objects.exists()


def test_what_killed_intakes_left_is_no_hindrance(tmp_path: Path, repository: Path) -> None:
    folder = desk.release(tmp_path / "in", LI)
    digest = desk.sha256((folder / "manifest.json").read_bytes())
    for left in (repository / digest, repository / "partial-old", repository / "partial-new"):
        left.mkdir(parents=True)
        (left / "half").write_text("x")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(repository / "partial-old", (long_ago, long_ago))
    take_in(folder)
    assert sorted(path.name for path in repository.iterdir()) == sorted([digest, "partial-new"])
    assert not (repository / digest / "half").exists()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=strategies.sampled_from(FILES), where=strategies.floats(0, 1, exclude_max=True))
def test_any_flipped_bit_is_refused(tmp_path: Path, repository: Path, name: str, where: float) -> None:
    folder = tmp_path / "in"
    if not folder.exists():
        desk.release(folder, LI)
    good = (folder / name).read_bytes()
    bit = int(where * len(good) * 8)
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    (folder / name).write_bytes(bad)
    try:
        assert refused(folder, repository)
    finally:
        (folder / name).write_bytes(good)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=strategies.sampled_from((*FILES[:4], "SHA256SUMS.p7s")), where=strategies.floats(0, 1, exclude_max=True))
def test_any_flipped_bit_is_refused_under_a_ca(tmp_path: Path, repository: Path, name: str, where: float) -> None:
    folder = tmp_path / "in"
    if not folder.exists():
        ca = signers.read(company.authority().pem, label="Code CA", crl=company.crl(), now=NOW)
        signers.trust(ca, actor=OLA, now=NOW)
        sums = (desk.release(folder) / "SHA256SUMS").read_bytes()
        (folder / "SHA256SUMS.p7s").write_bytes(company.signature(company.person(), sums, form="DER"))
    good = (folder / name).read_bytes()
    bad = bytearray(good)
    bad[int(where * len(good))] ^= 1 << int(where * len(good) * 8) % 8
    (folder / name).write_bytes(bad)
    try:
        assert refused(folder, repository)
    finally:
        (folder / name).write_bytes(good)
