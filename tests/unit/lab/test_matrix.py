"""What the matrix's bench reads of its clients, and what a release says of its libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import badness, contents
from lab.matrix_client import reason
from lab.matrix_staging import extra_conf


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Connected\nLogin failed.\nPassword:\nFailed to complete authentication\n", "Login failed."),
        ("Connected\nSession terminated by server; exiting.\n", "Session terminated by server; exiting."),
        ("", "openconnect ended without a word."),
    ],
)
def test_reason_is_the_first_line_that_says_why(said: str, why: str) -> None:
    assert reason(said) == why


def test_bans_are_only_where_they_are_wanted() -> None:
    assert "max-ban-score = 50" in extra_conf(1, bans=True)
    assert "ban" not in extra_conf(1, bans=False)


def test_files_are_told_by_package_with_their_licence(tmp_path: Path) -> None:
    unpacked, tree = tmp_path / "unpacked", tmp_path / "tree"
    for name in ("usr/lib/libc.so.6", "usr/sbin/ocserv", "usr/share/doc/libc6/copyright"):
        (unpacked / name).parent.mkdir(parents=True, exist_ok=True)
        (unpacked / name).write_text(name)
    (unpacked / "usr/share/doc/ocserv").symlink_to("libc6")
    owners = {"usr/lib/libc.so.6": ["libc6", "2.41"], "usr/sbin/ocserv": ["ocserv", "1.3.0"]}
    (unpacked / contents.OWNERS).write_text(json.dumps(owners))
    tree.mkdir()
    sources = {"lib/libc.so.6": unpacked / "usr/lib/libc.so.6", "sbin/ocserv": unpacked / "usr/sbin/ocserv"}
    contents.describe(unpacked, tree, sources)
    rows = {row["name"]: row for row in json.loads((tree / "share/packages.json").read_text())["packages"]}
    assert rows["libc6"] == {"name": "libc6", "version": "2.41", "files": ["lib/libc.so.6"]}
    assert rows["ocserv"]["files"] == ["sbin/ocserv"]
    assert (tree / "share/doc/ocserv/copyright").read_text() == "usr/share/doc/libc6/copyright"


@pytest.mark.parametrize("kind", badness.KINDS)
def test_bad_release_still_has_its_programs(tmp_path: Path, kind: str) -> None:
    for name in ("sbin/ocserv", "sbin/ocserv-worker"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("the program")
        (tmp_path / name).chmod(0o755)
    badness.spoil(tmp_path, kind)
    files = {path.name: path for path in (tmp_path / "sbin").iterdir()}
    assert all(path.stat().st_mode & 0o111 for path in files.values())
    for name in badness.KINDS[kind]:
        assert files[Path(name).name].read_text().startswith("#!/bin/sh\n")
    assert [path for path in files.values() if path.read_text() == "the program"]
