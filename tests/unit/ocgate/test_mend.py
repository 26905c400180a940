"""A folder that somebody changed is put back file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.ocgate import tree
from fleet.ocgate.mend import mend


def bundle(folder: Path) -> Path:
    """What a small bundle unpacks to."""
    for name, text in (("sbin/ocserv", "program"), ("lib/libz.so.1.2", "library"), ("lib/sub/x", "x")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.startswith("sbin") else 0o644)
    (folder / "lib/libz.so").symlink_to("libz.so.1.2")
    return folder


def swapped(folder: Path) -> None:
    (folder / "lib/libz.so.1.2").write_text("evil")


def weaker_mode(folder: Path) -> None:
    (folder / "sbin/ocserv").chmod(0o777)


def added(folder: Path) -> None:
    (folder / "lib/extra/deep").mkdir(parents=True)
    (folder / "lib/extra/deep/evil.so").write_text("evil")


def removed(folder: Path) -> None:
    (folder / "sbin/ocserv").unlink()


def link_elsewhere(folder: Path) -> None:
    (folder / "lib/libz.so").unlink()
    (folder / "lib/libz.so").symlink_to("/tmp/evil.so")


def folder_for_file(folder: Path) -> None:
    (folder / "sbin/ocserv").unlink()
    (folder / "sbin/ocserv/x").mkdir(parents=True)


def file_for_folder(folder: Path) -> None:
    (folder / "lib/sub/x").unlink()
    (folder / "lib/sub").rmdir()
    (folder / "lib/sub").write_text("evil")


def link_for_folder(folder: Path) -> None:
    (folder / "lib/sub/x").unlink()
    (folder / "lib/sub").rmdir()
    (folder / "lib/sub").symlink_to("/tmp")


EDITS = (swapped, weaker_mode, added, removed, link_elsewhere, folder_for_file, file_for_folder, link_for_folder)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_it_is_as_before_whatever_was_done(tmp_path: Path, edit: object) -> None:
    folder, fresh = bundle(tmp_path / "folder"), bundle(tmp_path / "fresh")
    before = tree.of_folder(folder)
    assert callable(edit)
    edit(folder)
    assert tree.of_folder(folder) != before
    assert mend(fresh, folder)
    assert tree.of_folder(folder) == before


def test_what_is_well_is_left_alone(tmp_path: Path) -> None:
    folder, fresh = bundle(tmp_path / "folder"), bundle(tmp_path / "fresh")
    inode = (folder / "sbin/ocserv").stat().st_ino
    swapped(folder)
    assert mend(fresh, folder) == ["lib/libz.so.1.2"]
    assert (folder / "sbin/ocserv").stat().st_ino == inode
