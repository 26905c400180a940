"""What may be in a bundle: the members of bundle.tar.zst, looked at without unpacking anything.

The gateway's `tar` unpacks it as root, so whatever it could read differently from us is refused, not skipped.
"""

from __future__ import annotations

import posixpath
import re
import stat
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Self

import zstandard

from approvals.errors import Refused

UNPACKED_MOST = 2 * 1024 * 1024 * 1024  # bytes
MEMBERS_MOST = 20_000
_WINDOW_MOST = 128 * 1024 * 1024  # what `zstd -d` accepts without --long
_NEEDED = ("sbin/ocserv", "bin/occtl")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_@-]{0,99}(/[A-Za-z0-9.+~_@-]{1,100})*")
_KINDS = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE}


class _Member(tarfile.TarInfo):
    """tarfile takes a damaged header for the end of the archive; here it is damage."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # not in the stubs
            raise
        except tarfile.HeaderError as error:
            raise Refused(f"The bundle is damaged: member at byte {archive.offset} can't be read ({error}).")


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


def check(bundle: BinaryIO) -> int:
    """Look at every member of a bundle; return the bytes it unpacks to. Refused names the member that may not be."""
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MOST).stream_reader(bundle, read_across_frames=True)
    seen: dict[str, tarfile.TarInfo] = {}
    try:
        with tarfile.open(mode="r|", fileobj=_Bounded(reader), tarinfo=_Member) as archive:  # type: ignore[call-overload]  # read() is all it needs
            for member in _members(archive):
                _check_member(member, seen)
            _check_end(archive)
    except (zstandard.ZstdError, tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise Refused(f"The bundle is no tar.zst archive: {error}.")
    _check_parents(seen)
    for path in _NEEDED:
        if path not in seen or not seen[path].isreg() or not seen[path].mode & 0o100:
            raise Refused(f"The bundle has no program {path}.")
    return sum(member.size for member in seen.values())


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(archive, start=1):
        if number > MEMBERS_MOST:
            raise Refused(f"The bundle has more than {MEMBERS_MOST} members.")
        yield member


def _check_member(member: tarfile.TarInfo, seen: dict[str, tarfile.TarInfo]) -> None:
    path = _path(member)
    if not path:
        return  # the archive's own "./"
    if path in seen:
        raise Refused(f"The bundle has {path} twice.")
    if member.type not in _KINDS or member.issparse():
        raise Refused(f"The bundle has {path}, which is neither a file, a folder nor a link.")
    if member.mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
        raise Refused(f"The bundle has {path} with mode {member.mode:04o}: no setuid, setgid or sticky bit is allowed.")
    _check_link(path, member, seen)
    seen[path] = member


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


def _check_link(path: str, member: tarfile.TarInfo, seen: dict[str, tarfile.TarInfo]) -> None:
    target = member.linkname
    if member.issym():
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        # Up only at the start: going up after going down could pass over another link and leave.
        plain = _PATH.fullmatch(re.sub(r"^(\.\./)+", "", target))
        if not plain or any(part in (".", "..") for part in plain[0].split("/")) or inside.startswith("../"):
            raise Refused(f"The bundle has the link {path} to {target!r}, which leaves the release.")
    if member.islnk():
        same = seen.get(target.removeprefix("./"))
        if same is None or not same.isreg():
            raise Refused(f"The bundle has the hard link {path} to {target!r}, which is no file before it.")


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
