"""Archives made to leave the folder, and whole ones."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from fleet.ocgate.errors import Refused
from fleet.ocgate.unpack import unpack

Member = tuple[str, bytes, str, int]  # name, type, link, mode


def bundle(folder: Path, *members: Member, size: int = 3) -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, link, mode in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, mode
            info.size = size if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"x" * size))
    path = folder / "bundle.tar.zst"
    path.write_bytes(subprocess.run(["zstd", "-qc"], input=out.getvalue(), capture_output=True, check=True).stdout)
    return path


def file(name: str, mode: int = 0o644) -> Member:
    return (name, tarfile.REGTYPE, "", mode)


def link(name: str, target: str) -> Member:
    return (name, tarfile.SYMTYPE, target, 0o777)


def test_files_folders_and_inner_links_come_out(tmp_path: Path) -> None:
    good = bundle(
        tmp_path, file("sbin/a", 0o755), file("lib/b.so.1"), link("lib/b.so", "b.so.1"), link("c", "lib/b.so")
    )
    unpack(good, tmp_path / "out")
    assert (tmp_path / "out/c").read_bytes() == b"xxx"
    assert (tmp_path / "out/sbin/a").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "out/lib/b.so.1").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    "members",
    [
        [file("/etc/passwd")],
        [file("../x")],
        [file("a/../../x")],
        [link("a", "/etc")],
        [link("a", "../x")],
        [link("a", "b/../../x")],
        [link("a", "."), link("a/../b", "x")],
        [("a", tarfile.LNKTYPE, "b", 0o644)],
        [("a", tarfile.CHRTYPE, "", 0o644)],
        [("a", tarfile.FIFOTYPE, "", 0o644)],
        [file("a", 0o4755)],
        [file("a", 0o2755)],
        [file("a"), file("a")],
        [file("a"), link("a", "b")],
    ],
)
def test_members_that_could_do_harm_are_refused_and_leave_nothing(tmp_path: Path, members: list[Member]) -> None:
    with pytest.raises(Refused) as refusal:
        unpack(bundle(tmp_path, file("first"), *members), tmp_path / "out")
    assert refusal.value.code == "archive_unsafe"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("members", [[link("l", "lib"), file("l/y")], [file("l/y"), link("l", "lib")]])
def test_nothing_lies_below_a_link(tmp_path: Path, members: list[Member]) -> None:
    with pytest.raises(Refused):
        unpack(bundle(tmp_path, file("lib/x"), *members), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="unpacks to more"):
        unpack(bundle(tmp_path, file("a"), size=2_000_000), tmp_path / "out", size_max=1_000_000)


@pytest.mark.parametrize("cut", [10, 60])
def test_an_archive_that_was_cut_is_refused(tmp_path: Path, cut: int) -> None:
    path = bundle(tmp_path, file("a"), size=100_000)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(Refused):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
