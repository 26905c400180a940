from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
import zstandard

from approvals.errors import Refused
from releases import archive
from tests.unit.releases import desk


def say(packed: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        archive.check(io.BytesIO(packed))
    return refusal.value.say


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    return desk.member(name, type=kind, linkname=target)


def test_a_good_bundle_passes() -> None:
    folder = desk.member("./lib/", type=tarfile.DIRTYPE)
    inside = [link("lib/a.so", "a.so.1"), link("sbin/tool", "../lib/a.so"), link("bin/o", "bin/occtl", tarfile.LNKTYPE)]
    dot = desk.member("./", type=tarfile.DIRTYPE)
    assert archive.check(io.BytesIO(desk.bundle(dot, folder, desk.member("lib/a.so.1"), *inside))) == 12


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "lib/../../x", "lib//x", "lib/./x", "-rf", "a\nb", "a\\b", "ü", "lib/" + "a" * 101]
)
def test_a_path_that_is_not_plain_is_refused(name: str) -> None:
    assert "only plain paths inside the release" in say(desk.bundle(desk.member(name)))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE])
def test_devices_and_pipes_are_refused(kind: bytes) -> None:
    assert "neither a file, a folder nor a link" in say(desk.bundle(desk.member("lib/x", type=kind)))


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1755])
def test_setuid_is_refused(mode: int) -> None:
    assert "no setuid, setgid or sticky" in say(desk.bundle(desk.member("lib/x", mode=mode)))


@pytest.mark.parametrize("target", ["/etc", "../..", "../../etc", "d/../../..", "d/../x", "", ".", "..", "a\\b", "./x"])
def test_a_link_that_leaves_is_refused(target: str) -> None:
    assert "which leaves the release" in say(desk.bundle(link("lib/x", target)))


@pytest.mark.parametrize("target", ["lib/none", "/bin/occtl", "../bin/occtl", "lib/l"])
def test_a_hard_link_to_no_file_before_it_is_refused(target: str) -> None:
    extra = [link("lib/l", "a"), link("lib/x", target, tarfile.LNKTYPE)]
    assert "which is no file before it" in say(desk.bundle(*extra))


@pytest.mark.parametrize("late", [True, False])
def test_a_member_below_a_link_is_refused(late: bool) -> None:
    extra: list[Any] = [link("d", "lib"), desk.member("d/x")]
    assert "below d, which is no folder" in say(desk.bundle(*(reversed(extra) if late else extra)))


def test_a_member_twice_is_refused() -> None:
    assert say(desk.bundle(desk.member("./bin/occtl"))) == "The bundle has bin/occtl twice."


@pytest.mark.parametrize("left", desk.PROGRAMS)
def test_a_bundle_without_its_programs_is_refused(left: str) -> None:
    other = zstandard.compress(desk.tarred([desk.member(left), desk.member("lib/x")]))
    assert say(other).startswith("The bundle has no program ")


def test_a_program_that_can_not_run_is_refused() -> None:
    packed = zstandard.compress(desk.tarred([desk.member("sbin/ocserv", mode=0o644), desk.member("bin/occtl")]))
    assert say(packed) == "The bundle has no program sbin/ocserv."


def test_what_is_no_archive_is_refused() -> None:
    assert say(b"").startswith("The bundle is damaged: member at byte 0")
    assert "no tar.zst archive" in say(b"PK\x03\x04" * 100)
    assert say(zstandard.compress(b"x" * 20000)).startswith("The bundle is ")


@pytest.mark.parametrize("cut", [10, 100, 600, 1100, 1600])
def test_a_tar_that_was_cut_is_refused(cut: int) -> None:
    assert say(zstandard.compress(desk.tarred(map(desk.member, desk.PROGRAMS))[:cut])).startswith("The bundle ")


def test_a_cut_frame_is_refused() -> None:
    assert say(desk.bundle()[:-20]).startswith("The bundle is ")


def test_a_damaged_header_is_not_the_end() -> None:
    data = bytearray(desk.tarred([*map(desk.member, desk.PROGRAMS), desk.member("lib/x")]))
    data[2048 + 148] ^= 1  # in the third header's checksum
    assert say(zstandard.compress(bytes(data))).startswith("The bundle is damaged: member at byte 2048")


def test_what_follows_the_end_is_refused() -> None:
    data = desk.tarred(map(desk.member, desk.PROGRAMS))
    assert say(zstandard.compress(data + desk.tarred([desk.member("etc/x")]))) == (
        "The bundle goes on after the archive's end."
    )
    assert say(zstandard.compress(data) + zstandard.compress(b"more")) == "The bundle goes on after the archive's end."


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_MOST", 50_000)
    bomb = zstandard.compress(desk.tarred(map(desk.member, desk.PROGRAMS)) + bytes(100_000))
    assert say(bomb) == "The bundle unpacks to more than 50000 bytes."


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MEMBERS_MOST", 3)
    assert say(desk.bundle(desk.member("a"), desk.member("b"))) == "The bundle has more than 3 members."
