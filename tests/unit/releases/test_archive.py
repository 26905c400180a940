from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from approvals.errors import Refused
from fleet.ocgate import tree
from fleet.ocgate.unpack import unpack
from releases import archive
from tests.unit.releases import desk


def say_of(packed: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        archive.check(io.BytesIO(packed))
    return refusal.value.say


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return desk.member(name, type=kind, linkname=target)


def test_a_good_bundle_passes() -> None:
    folder = desk.member("./lib/", type=tarfile.DIRTYPE)
    inside = [link("lib/a.so", "a.so.1"), link("sbin/tool", "../lib/a.so")]
    dot = desk.member("./", type=tarfile.DIRTYPE)
    found = archive.check(io.BytesIO(desk.bundle(dot, folder, desk.member("lib/a.so.1"), *inside)))
    assert (found.files, found.unpacked, found.libraries) == (3, 12, ("a.so.1",))


def test_its_tree_is_the_one_of_the_gateways_folder(tmp_path: Path) -> None:
    inside = [
        desk.member("./lib/deep/x.conf", mode=0o600),
        link("lib/x", "deep/x.conf"),
        desk.member("bin/t", mode=0o711),
    ]
    (tmp_path / "b").write_bytes(desk.bundle(desk.member("etc", type=tarfile.DIRTYPE, mode=0o700), *inside))
    unpack(tmp_path / "b", tmp_path / "there")
    (tmp_path / "there" / "manifest.json").write_text("{}")
    with (tmp_path / "b").open("rb") as bundle:
        assert archive.check(bundle).tree == tree.of_folder(tmp_path / "there")


@pytest.mark.parametrize("change", ["touched", "mode", "link", "more", "gone"])
def test_any_change_of_the_folder_changes_its_tree(tmp_path: Path, change: str) -> None:
    (tmp_path / "b").write_bytes(desk.bundle(link("lib", "bin")))
    unpack(tmp_path / "b", there := tmp_path / "there")
    before = tree.of_folder(there)
    changes: dict[str, Callable[[], object]] = {
        "touched": lambda: (there / "bin/occtl").write_bytes(b"\x7fELG"),
        "mode": lambda: (there / "bin/occtl").chmod(0o4755),
        "link": lambda: (there / "lib").rename(there / "lib64"),
        "more": lambda: (there / "bin/more").mkdir(),
        "gone": lambda: (there / "bin/occtl").unlink(),
    }
    changes[change]()
    assert tree.of_folder(there) != before


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "lib/../../x", "lib//x", "lib/./x", "-rf", "a\nb", "a\\b", "ü", "lib/" + "a" * 101]
)
def test_a_path_that_is_not_plain_is_refused(name: str) -> None:
    assert "only plain paths inside the release" in say_of(desk.bundle(desk.member(name)))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE])
def test_devices_and_pipes_are_refused(kind: bytes) -> None:
    assert "neither a file, a folder nor a symbolic link" in say_of(desk.bundle(desk.member("lib/x", type=kind)))


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1755])
def test_setuid_is_refused(mode: int) -> None:
    assert "no setuid, setgid or sticky" in say_of(desk.bundle(desk.member("lib/x", mode=mode)))


@pytest.mark.parametrize("target", ["/etc", "../..", "../../etc", "d/../../..", "d/../x", "", ".", "..", "a\\b", "./x"])
def test_a_link_that_leaves_is_refused(target: str) -> None:
    assert "which leaves the release" in say_of(desk.bundle(link("lib/x", target)))


def test_a_hard_link_is_refused() -> None:
    say = "The bundle has lib/x, which is neither a file, a folder nor a symbolic link."
    assert say_of(desk.bundle(link("lib/x", "bin/occtl", tarfile.LNKTYPE))) == say


@pytest.mark.parametrize("name", ["manifest.json", "./SHA256SUMS", "CHANGELOG.md"])
def test_the_names_of_the_releases_papers_are_refused(name: str) -> None:
    assert "the gateway puts the release's own" in say_of(desk.bundle(desk.member(name)))


@pytest.mark.parametrize("late", [True, False])
def test_a_member_below_a_link_is_refused(late: bool) -> None:
    extra: list[Any] = [link("d", "lib"), desk.member("d/x")]
    assert "below d, which is no folder" in say_of(desk.bundle(*(reversed(extra) if late else extra)))


def test_a_member_twice_is_refused() -> None:
    assert say_of(desk.bundle(desk.member("./bin/occtl"))) == "The bundle has bin/occtl twice."


@pytest.mark.parametrize("left", desk.PROGRAMS)
def test_a_bundle_without_its_programs_is_refused(left: str) -> None:
    other = zstandard.compress(desk.tarred([desk.member(left), desk.member("lib/x")]))
    assert say_of(other).startswith("The bundle has no program ")


def test_a_program_that_can_not_run_is_refused() -> None:
    packed = zstandard.compress(desk.tarred([desk.member("sbin/ocserv", mode=0o644), desk.member("bin/occtl")]))
    assert say_of(packed) == "The bundle has no program sbin/ocserv."


def test_what_is_no_archive_is_refused() -> None:
    assert say_of(b"").startswith("The bundle is damaged: member at byte 0")
    assert "no tar.zst archive" in say_of(b"PK\x03\x04" * 100)
    assert say_of(zstandard.compress(b"x" * 20000)).startswith("The bundle is ")


@pytest.mark.parametrize("cut", [10, 100, 600, 1100, 1600])
def test_a_tar_that_was_cut_is_refused(cut: int) -> None:
    assert say_of(zstandard.compress(desk.tarred(map(desk.member, desk.PROGRAMS))[:cut])).startswith("The bundle ")


def test_a_cut_frame_is_refused() -> None:
    assert say_of(desk.bundle()[:-20]).startswith("The bundle is ")


def test_a_damaged_header_is_not_the_end() -> None:
    data = bytearray(desk.tarred([*map(desk.member, desk.PROGRAMS), desk.member("lib/x")]))
    data[2048 + 148] ^= 1  # in the third header's checksum
    assert say_of(zstandard.compress(bytes(data))).startswith("The bundle is damaged: member at byte 2048")


def test_what_follows_the_end_is_refused() -> None:
    data = desk.tarred(map(desk.member, desk.PROGRAMS))
    assert say_of(zstandard.compress(data + desk.tarred([desk.member("etc/x")]))) == (
        "The bundle goes on after the archive's end."
    )
    assert (
        say_of(zstandard.compress(data) + zstandard.compress(b"more")) == "The bundle goes on after the archive's end."
    )


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_MOST", 50_000)
    bomb = zstandard.compress(desk.tarred(map(desk.member, desk.PROGRAMS)) + bytes(100_000))
    assert say_of(bomb) == "The bundle unpacks to more than 50000 bytes."


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MEMBERS_MOST", 3)
    assert say_of(desk.bundle(desk.member("a"), desk.member("b"))) == "The bundle has more than 3 members."
