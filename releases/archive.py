"""What may be in a bundle: the members of bundle.tar.zst, looked at without unpacking anything.

The gateway unpacks it as root, so whatever it could read differently from us is refused, not skipped.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Self

import zstandard

from approvals.errors import Refused
from fleet.ocgate import members, tree

UNPACKED_MOST = 4 * 1024 * 1024 * 1024  # bytes
MEMBERS_MOST = 20_000
_WINDOW_MOST = 128 * 1024 * 1024  # what `zstd -d` accepts without --long
_NEEDED = ("sbin/ocserv", "bin/occtl")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_@-]{0,99}(/[A-Za-z0-9.+~_@-]{1,100})*")
_KINDS = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE}
_LIBRARY = re.compile(r"[^/]+\.so(\.[0-9A-Za-z_.]+)?")
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class Contents:
    """What a bundle unpacks to. `tree` is what the gateway's folder of it hashes to (fleet/ocgate/tree.py)."""

    tree: str
    files: int
    unpacked: int  # bytes
    libraries: tuple[str, ...]  # names of the shared objects


@dataclass
class _Seen:
    """The members so far, by path, and the lines of their tree."""

    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)


class _Member(tarfile.TarInfo):
    """tarfile takes a damaged header for the end of the archive; here it is damage. And it reads a pax header or a long
    name into memory whole, so those are kept small."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # not in the stubs
            raise
        except tarfile.HeaderError as error:
            raise Refused(f"The bundle is damaged: member at byte {archive.offset} can't be read ({error}).")

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0 or (found.type in members.EXTRAS and found.size > members.EXTRA_MOST):
            raise Refused(f"The bundle holds a header of {found.size} bytes; {members.EXTRA_MOST} are read.")
        return found


class _Bounded:
    """The unpacked stream, which ends with a refusal when it is longer than it may be."""

    def __init__(self, stream: zstandard.ZstdDecompressionReader) -> None:
        self._stream = stream
        self._left = UNPACKED_MOST

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise Refused(f"The bundle unpacks to more than {UNPACKED_MOST} bytes.")
        return data


def check(bundle: BinaryIO) -> Contents:
    """Look at every member of a bundle and hash it. Refused names the member that may not be. Slow by the bundle."""
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MOST).stream_reader(bundle, read_across_frames=True)
    seen = _Seen()
    try:
        with tarfile.open(mode="r|", fileobj=_Bounded(reader), tarinfo=_Member, bufsize=_PIECE) as archive:  # type: ignore[call-overload]  # read() is all it needs
            for member in _members(archive):
                _look_at(member, seen, archive)
            _check_end(archive)
    except (zstandard.ZstdError, tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise Refused(f"The bundle is no tar.zst archive: {error}.")
    _check_parents(seen.members)
    for path in _NEEDED:
        if path not in seen.members or not seen.members[path].isreg() or not seen.members[path].mode & 0o100:
            raise Refused(f"The bundle has no program {path}.")
    return _contents(seen)


def _contents(seen: _Seen) -> Contents:
    files = {path: member for path, member in seen.members.items() if member.isreg()}
    folders = {parent for path in seen.members for parent in _parents(path)}
    implied = {path: tree.line(path, tree.FOLDER, tree.FOLDER_MODE, "") for path in folders}
    names = {posixpath.basename(path) for path in files}
    return Contents(
        tree=tree.digest({**implied, **seen.lines}.values()),
        files=len(files),
        unpacked=sum(member.size for member in files.values()),
        libraries=tuple(sorted(name for name in names if _LIBRARY.fullmatch(name))),
    )


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(archive, start=1):
        if number > MEMBERS_MOST:
            raise Refused(f"The bundle has more than {MEMBERS_MOST} members.")
        yield member


def _look_at(member: tarfile.TarInfo, seen: _Seen, archive: tarfile.TarFile) -> None:
    path = _path(member)
    if not path:
        return  # the archive's own "./"
    _check_member(path, member, seen.members)
    seen.members[path] = member
    if member.issym():
        seen.lines[path] = tree.line(path, tree.LINK, tree.LINK_MODE, member.linkname)
    elif member.isdir():
        seen.lines[path] = tree.line(path, tree.FOLDER, tree.FOLDER_MODE, "")
    else:
        seen.lines[path] = tree.line(path, tree.FILE, tree.file_mode(member.mode), _hash(member, archive))


def _hash(member: tarfile.TarInfo, archive: tarfile.TarFile) -> str:
    hashed, content = hashlib.sha256(), archive.extractfile(member)
    while content and (piece := content.read(_PIECE)):
        hashed.update(piece)
    return hashed.hexdigest()


def _check_member(path: str, member: tarfile.TarInfo, seen: dict[str, tarfile.TarInfo]) -> None:
    if path in seen:
        raise Refused(f"The bundle has {path} twice.")
    if path in tree.PAPERS:
        raise Refused(f"The bundle has a member {path}: the gateway puts the release's own {path} there.")
    if member.type not in _KINDS or member.issparse():
        raise Refused(f"The bundle has {path}, which is neither a file, a folder nor a symbolic link.")
    if "size" in member.pax_headers:
        raise Refused(
            f"The bundle has {path} with two sizes, in a pax header and its own: readers differ on which one."
        )
    if member.mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
        raise Refused(f"The bundle has {path} with mode {member.mode:04o}: no setuid, setgid or sticky bit is allowed.")
    if member.issym():
        _check_link(path, member.linkname)


def _path(member: tarfile.TarInfo) -> str:
    """Return the member's path without "./" before and "/" behind; "" for the folder itself."""
    name = member.name.removeprefix("./").rstrip("/")
    if name in ("", ".") and member.isdir():
        return ""
    if not _PATH.fullmatch(name) or any(part in (".", "..") for part in name.split("/")):
        raise Refused(f"The bundle has a member {member.name!r}: only plain paths inside the release are allowed.")
    return name


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _check_link(path: str, target: str) -> None:
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    # Up only at the start: going up after going down could pass over another link and leave.
    plain = _PATH.fullmatch(re.sub(r"^(\.\./)+", "", target))
    if not plain or any(part in (".", "..") for part in plain[0].split("/")) or inside.startswith("../"):
        raise Refused(f"The bundle has the link {path} to {target!r}, which leaves the release.")


def _check_parents(seen: dict[str, tarfile.TarInfo]) -> None:
    """Refuse members below something that is no folder, in whatever order they come."""
    for path in seen:
        for parent in _parents(path):
            if parent in seen and not seen[parent].isdir():
                raise Refused(f"The bundle has {path} below {parent}, which is no folder.")


def _check_end(archive: tarfile.TarFile) -> None:
    """Nothing but zeros may follow the end mark: another tar might read on."""
    stream = archive.fileobj
    while rest := stream.read(65536) if stream else b"":
        if rest.strip(b"\0"):
            raise Refused("The bundle goes on after the archive's end.")
