"""Static tests on small trees: what each one finds, and that it names it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releases.matrix import static
from releases.matrix.binaries import Binary
from releases.matrix.ports import Outcome
from releases.matrix.static import Configured, Host, Subject
from releases.matrix.verdict import Verdict
from tests.unit.releases import desk

PREFIX = "/var/lib/ocgate/releases/1.3.0-2"
SERVER = Binary(
    path="sbin/ocserv",
    program=True,
    interpreter=f"{PREFIX}/lib/ld-linux-x86-64.so.2",
    needed=("libc.so.6",),
    rpath=("$ORIGIN/../lib",),
    wanted=frozenset({"open@GLIBC_2.2.5", "__stack_chk_fail@GLIBC_2.4", "__memcpy_chk@GLIBC_2.3.4"}),
    offered=frozenset(),
    pie=True,
    relro=True,
    bind_now=True,
    executable_stack=False,
    writable_code=False,
    kernel=(),
)
LIBC = replace(
    SERVER,
    path="lib/libc.so.6",
    program=False,
    interpreter="",
    needed=(),
    rpath=(),
    wanted=frozenset(),
    offered=SERVER.wanted | {"open"},
    kernel=(3, 2, 0),
)
LOADER = replace(LIBC, path="lib/ld-linux-x86-64.so.2", offered=frozenset(), kernel=())
GOOD = (SERVER, LIBC, LOADER)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    packed = desk.bundle()
    (tmp_path / "bundle.tar.zst").write_bytes(packed)
    floor = {"products": {"ocserv": [{"id": "W1", "fixed_in": "1.5.0", "say": "overflow", "patched": ["1.3.0-9"]}]}}
    (tmp_path / "floor.json").write_text(json.dumps(floor))
    (tmp_path / "tree").mkdir()
    return Subject(
        name="1.5.0-1",
        product="ocserv",
        version="1.5.0",
        prefix=PREFIX,
        sha256=desk.sha256(packed),
        kept_tree="",
        bundle=tmp_path / "bundle.tar.zst",
        tree=tmp_path / "tree",
        signed_by=["Li"],
        signatures_lack="",
        hosts=[Host("gw1", "6.1.0-38-amd64")],
        pools=[Configured("edge", "tcp-port = 443\n")],
        floor=tmp_path / "floor.json",
    )


def seen(test: str, subject: Subject, found: Sequence[Binary] = GOOD, **changes: Any) -> Outcome:
    return static.test(test, replace(subject, **changes), found)


def described(subject: Subject, *, files: Sequence[str]) -> None:
    share = subject.tree / "share"
    (share / "doc/libc6").mkdir(parents=True)
    (share / "doc/libc6/copyright").write_text("License: LGPL-2.1+\n")
    rows = [{"name": "libc6", "version": "2.41", "files": list(files)}]
    (share / "packages.json").write_text(json.dumps({"packages": rows}))


def test_good_release_is_green(subject: Subject) -> None:
    described(subject, files=[one.path for one in GOOD])
    verdicts = {name: seen(name, subject).verdict for name in static.TESTS}
    assert verdicts == dict.fromkeys(static.TESTS, Verdict.GREEN)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("integrity", {"sha256": "0" * 64}, "its manifest says 000000000000"),
        ("integrity", {"kept_tree": "1" * 64}, "at intake it was 111111111111"),
        ("integrity", {"damage": "sbin/ocserv is a damaged ELF file"}, "damaged ELF"),
        ("signatures", {"signatures_lack": "Nobody who counts signed it."}, "Nobody who counts"),
        ("symbols", {"hosts": [Host("old", "3.1.9"), Host("new", "6.1")]}, "older: old."),
        ("configuration", {"pools": [Configured("edge", "dpd = abc\n")]}, "edge: "),
        ("known weaknesses", {"version": "1.4.2"}, "1.5.0 is the first version without them"),
    ],
)
def test_red(subject: Subject, name: str, changes: dict[str, Any], words: str) -> None:
    outcome = seen(name, subject, **changes)
    assert outcome.verdict is Verdict.RED
    assert words in outcome.say


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("libraries and licences", {}, "has no share/packages.json"),
        ("symbols", {"hosts": [Host("gw2", "")]}, "not known: gw2."),
        ("configuration", {"pools": [Configured("edge", "")]}, "No configuration is agreed here for: edge."),
        ("configuration", {"pools": [Configured("edge", "cgroup = cpuset\n")]}, "cgroup"),
        ("known weaknesses", {"product": "haproxy"}, "says nothing about haproxy"),
        ("known weaknesses", {"floor": Path("/nowhere/floor.json")}, "FileNotFoundError"),
    ],
)
def test_unclear(subject: Subject, name: str, changes: dict[str, Any], words: str) -> None:
    outcome = seen(name, subject, **changes)
    assert outcome.verdict is Verdict.UNCLEAR
    assert words in outcome.say


def test_backported_fix_counts(subject: Subject) -> None:
    assert seen("known weaknesses", subject, version="1.3.0", name="1.3.0-9").verdict is Verdict.GREEN


def test_unnamed_file_and_missing_licence_are_red(subject: Subject) -> None:
    described(subject, files=["lib/libc.so.6"])
    shutil.rmtree(subject.tree / "share/doc")
    outcome = seen("libraries and licences", subject)
    assert outcome.verdict is Verdict.RED
    assert "sbin/ocserv" in outcome.say
    assert "Without a licence: libc6." in outcome.say


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"needed": ("libc.so.6", "libev.so.4")}, "needs libev.so.4"),
        ({"wanted": SERVER.wanted | {"fcntl64@GLIBC_2.28"}}, "wants fcntl64@GLIBC_2.28"),
        ({"interpreter": "/lib64/ld-linux-x86-64.so.2"}, "which is the host's"),
    ],
)
def test_what_is_not_in_the_release_is_red(subject: Subject, changes: dict[str, Any], words: str) -> None:
    outcome = seen("symbols", subject, (replace(SERVER, **changes), LIBC, LOADER))
    assert outcome.verdict is Verdict.RED
    assert words in outcome.say


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pie": False}, "PIE"),
        ({"relro": False}, "RELRO"),
        ({"bind_now": False}, "BIND_NOW"),
        ({"executable_stack": True}, "NX"),
        ({"writable_code": True}, "not writable"),
        ({"wanted": frozenset({"__memcpy_chk@GLIBC_2.3.4"})}, "stack protector"),
        ({"wanted": frozenset({"__stack_chk_fail@GLIBC_2.4"})}, "FORTIFY"),
        ({"rpath": ("/usr/local/lib",)}, "RPATH"),
        ({"rpath": ("$ORIGIN/../../other/lib",)}, "RPATH"),
        ({"rpath": ("$ORIGIN/../lib", "")}, "RPATH"),
    ],
)
def test_soft_program_is_red(subject: Subject, changes: dict[str, Any], words: str) -> None:
    outcome = seen("hardening", subject, (replace(SERVER, **changes), LIBC, LOADER))
    assert outcome.verdict is Verdict.RED
    assert words in outcome.say


def test_nothing_to_look_at_is_never_green(subject: Subject) -> None:
    for name in static.ABOUT_PROGRAMS:
        assert seen(name, subject, ()).verdict is Verdict.UNCLEAR
