"""One archive, two readers: what the controller takes in is what the gateway unpacks, and what one refuses both do.

The corpus is made of headers that tars are known to read differently.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as some

from approvals.errors import Refused
from fleet.ocgate import errors, tree, unpack
from releases import archive

END = bytes(1024)
PAX = tarfile.XHDTYPE
SKIPPED = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"  # a frame that zstd steps over


def raw(name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, to: str = "", mode: int = 0o755) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, to, mode, len(data)
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def told(**words: str) -> bytes:
    """A pax header with these records."""
    lines = b""
    for word, value in words.items():
        text = f" {word.replace('__', '.')}={value}\n".encode()
        size = next(size for size in range(len(text), len(text) + 9) if len(str(size)) + len(text) == size)
        lines += str(size).encode() + text
    return raw("pax", lines, kind=PAX)


def sized(header: bytes, size: int) -> bytes:
    """The header with another size in base 256, its checksum made good."""
    changed = bytearray(header[:124] + b"\xff" + size.to_bytes(11, "big", signed=True) + header[136:])
    if size >= 0:
        changed[124] = 0x80
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed[:512])
    return bytes(changed)


PROGRAMS = raw("sbin/ocserv", b"\x7fELF") + raw("bin/occtl", b"\x7fELF")
LONG = "a" * 90
EVIL = {
    "a link through a link": raw("b", kind=b"2", to=".") + raw("a", kind=b"2", to="b/.."),
    "a link below a link": raw("d/s", kind=b"2", to="..") + raw("d/s/t", kind=b"2", to="../x"),
    "up after down": raw("lib/x", b"x") + raw("l", kind=b"2", to="lib/../../x"),
    "a paper that is a link": raw("manifest.json", kind=b"2", to="sbin/ocserv"),
    "pax path out": told(path="../evil") + raw("lib/fine", b"x"),
    "pax path absolute": told(path="/etc/passwd") + raw("lib/fine", b"x"),
    "pax path of a paper": told(path="SHA256SUMS") + raw("lib/fine", b"x"),
    "pax linkpath out": told(linkpath="/etc/shadow") + raw("lib/l", kind=b"2", to="fine"),
    "pax size hides a member": told(size="0") + raw("lib/a", raw("lib/evil", b"x")),
    "pax size below zero": told(size="-512") + raw("lib/a", b"x"),
    "pax size that is no number": told(size="1e3") + raw("lib/a", b"x"),
    "pax sparse": told(GNU__sparse__map="0,1", GNU__sparse__size="1000000000000") + raw("lib/a", b"x"),
    "pax sparse 1.0": told(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__realsize="9")
    + raw("lib/a", b"no number" + bytes(503)),
    "pax that is broken": raw("pax", b"99 path=x\n", kind=PAX) + raw("lib/a", b"x"),
    "a pax header that fills the memory": told(comment="x" * 70_000) + raw("lib/a", b"x"),
    "a pax header without end": sized(raw("pax", kind=PAX), 3 * 1024**3),
    "a long name without end": sized(raw("././@LongLink", kind=b"L"), 3 * 1024**3),
    "a long name out": raw("././@LongLink", b"../" * 50 + b"x\0", kind=b"L") + raw("lib/fine", b"x"),
    "a long link out": raw("././@LongLink", b"../" * 50 + b"x\0", kind=b"K") + raw("lib/l", kind=b"2", to="x"),
    "an old sparse file": raw("lib/a", kind=b"S"),
    "a size below zero": sized(raw("lib/a"), -512),
    "a name with a slash in it, escaped": raw("lib\\..\\x", b"x"),
    "a name that is not UTF-8": raw("lib/a\udcff", b"x"),
    "a name that looks like another": raw("sbin/оcserv", b"x"),  # noqa: RUF001  # Cyrillic o
    "a direction turned over": raw("lib/\u202egpj.so", b"x"),
    "a file as a folder": raw("sbin/ocserv/x", b"x"),
    "a folder over a file": raw("bin/occtl/", kind=b"5"),
    "an empty name": raw("", b"x"),
    "a dot as a link": raw("./", kind=b"2", to="lib"),
    "a sticky file": raw("lib/a", b"x", mode=0o1755),
    "a kind nobody knows": raw("lib/a", b"x", kind=b"Z"),
    "a volume's label": raw("lib/a", kind=b"V"),
}


def controller_takes(packed: bytes) -> str:
    """The tree that the controller reckons; "" when it refuses."""
    try:
        return archive.check(io.BytesIO(packed)).tree
    except Refused:
        return ""


def gateway_takes(packed: bytes) -> str:
    """The tree that the gateway unpacks; "" when it refuses, with nothing left."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "bundle"), Path(folder, "out")
        path.write_bytes(packed)
        try:
            unpack.unpack(path, out)
        except errors.Refused:
            assert not out.exists()
            return ""
        return tree.of_folder(out)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("case", EVIL)
def test_both_refuse_what_could_be_read_in_two_ways(case: str, first: bool) -> None:
    parts = [EVIL[case], PROGRAMS] if first else [PROGRAMS, EVIL[case]]
    packed = zstandard.compress(b"".join(parts) + END)
    assert (controller_takes(packed), gateway_takes(packed)) == ("", "")


@pytest.mark.parametrize(
    "more",
    [b"", raw("./", kind=b"5"), raw("lib/", kind=b"5") + raw("lib/l", kind=b"2", to="../bin/occtl")]
    + [told(path=f"lib/{LONG}") + raw("lib/a", b"x"), raw("././@LongLink", f"lib/{LONG}/{LONG}\0".encode(), kind=b"L")],
)
def test_both_take_what_can_be_read_in_one_way(more: bytes) -> None:
    packed = zstandard.compress(PROGRAMS + more + (raw("lib/b", b"x") if b"LongLink" in more else b"") + END)
    assert controller_takes(packed) == gateway_takes(packed) != ""


@pytest.mark.parametrize("behind", [SKIPPED, zstandard.compress(b""), b"", zstandard.compress(bytes(9000)), b"junk"])
def test_both_say_the_same_of_what_stands_behind(behind: bytes) -> None:
    packed = zstandard.compress(PROGRAMS + END) + behind
    assert (controller_takes(packed) == "") == (gateway_takes(packed) == "")


@settings(max_examples=150, deadline=None)
@given(at=some.integers(0, 511), member=some.integers(0, 3), value=some.integers(0, 255))
def test_a_changed_header_is_the_same_to_both(at: int, member: int, value: int) -> None:
    """Any byte of any header, with a checksum that fits again."""
    inside = bytearray(PROGRAMS + raw("lib/l", kind=b"2", to="../bin/occtl") + raw("lib/d/", kind=b"5") + END)
    start = (0, 1024, 2048, 2560)[member]
    inside[start + at] = value
    if not 148 <= at < 156:
        inside[start + 148 : start + 156] = b" " * 8
        inside[start + 148 : start + 156] = b"%06o\0 " % sum(inside[start : start + 512])
    packed = zstandard.compress(bytes(inside))
    said, done = controller_takes(packed), gateway_takes(packed)
    assert said == done or (not said and done and member < 2)  # only the controller asks for the programs here
