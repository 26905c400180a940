"""Real ELF files of this machine are read, damaged ones are named."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releases.matrix import binaries

SHELL = Path("/bin/sh").resolve()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sbin").mkdir()
    shutil.copy(SHELL, tmp_path / "sbin/ocserv")
    (tmp_path / "sbin/script").write_text("#!/bin/sh\n")
    (tmp_path / "sbin/link").symlink_to("ocserv")
    return tmp_path


def test_reads_a_program(tree: Path) -> None:
    (found,) = binaries.read_all(tree)
    assert (found.path, found.program) == ("sbin/ocserv", True)
    assert "libc.so.6" in found.needed
    assert found.interpreter.startswith("/lib")
    assert any(name.startswith("fork@GLIBC") or name == "fork" for name in found.wanted)
    assert found.relro
    assert not found.executable_stack


def test_program_of_the_host_lacks_its_libraries(tree: Path) -> None:
    said = " ".join(binaries.missing(binaries.read_all(tree), "/var/lib/ocgate/releases/1"))
    assert "sbin/ocserv needs libc.so.6, which is not in the release." in said
    assert "which is the host's" in said


def test_damaged_program_is_named(tree: Path) -> None:
    (tree / "sbin/ocserv").write_bytes(SHELL.read_bytes()[:200])
    with pytest.raises(ValueError, match="sbin/ocserv is a damaged ELF file"):
        binaries.read_all(tree)


@settings(deadline=None)
@given(st.integers(min_value=5, max_value=3000), st.binary(min_size=1, max_size=40))
def test_damage_ends_in_a_sentence_or_nowhere(at: int, noise: bytes) -> None:
    whole = SHELL.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "program").write_bytes(whole[:at] + noise + whole[at + len(noise) :])
        with contextlib.suppress(ValueError):
            assert len(binaries.read_all(Path(folder))) == 1
