"""What may be a member of a bundle. Strict, so that no other reader of the same archive can see another one. Pure.

The controller asks the same of a bundle in releases/archive.py, in code of its own; a test reads both with one corpus.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from typing import Dict, Optional

from . import tree
from .errors import Refused

EXTRA_MOST = 64 * 1024  # bytes; tarfile reads a pax header or a long name into memory whole
SPECIAL_BITS = 0o7000
EXTRAS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE)
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_@-]{0,99}(/[A-Za-z0-9.+~_@-]{1,100})*")


class Member(tarfile.TarInfo):
    """tarfile takes a damaged header for the archive's end and believes any size; here both are refused."""

    @classmethod
    def frombuf(cls, buf: "bytes | bytearray", encoding: str, errors: str) -> "Member":
        """Read one header."""
        try:
            found = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # not in the stubs
            raise
        except tarfile.HeaderError as failure:
            raise _no(f"holds a header that can't be read ({failure})") from None
        if found.size < 0 or found.type in EXTRAS and found.size > EXTRA_MOST:
            raise _no(f"holds a header of {found.size} bytes")
        return found


class Seen:
    """The members so far; each new one must fit to them."""

    def __init__(self) -> None:
        self._folders: Dict[str, bool] = {}  # path → is it a folder

    def take(self, member: tarfile.TarInfo) -> str:
        """The member's plain path, "" for the release's own folder; `archive_unsafe` says why it may not be."""
        path = member.name[2:] if member.name.startswith("./") else member.name
        path = path.rstrip("/")
        if path in ("", ".") and member.isdir():
            return ""
        why = unsafe(path, member) or self._misplaced(path, member)
        if why:
            raise _no(f"has the member {member.name[:100]!r}, which {why}")
        self._folders[path] = member.isdir()
        parent = posixpath.dirname(path)
        while parent:
            self._folders.setdefault(parent, True)
            parent = posixpath.dirname(parent)
        return path

    def _misplaced(self, path: str, member: tarfile.TarInfo) -> Optional[str]:
        # A folder may be told after what is in it.
        if path in self._folders and not (member.isdir() and self._folders[path]):
            return "is there twice"
        parent = posixpath.dirname(path)
        while parent:
            if not self._folders.get(parent, True):
                return f"lies below {parent[:100]}, which is no folder"
            parent = posixpath.dirname(parent)
        return None


def unsafe(path: str, member: tarfile.TarInfo) -> Optional[str]:
    """Why a member with this path may not be unpacked, whatever else is in the bundle; None when it may."""
    if not plain(path):
        return "has no plain path inside the release"
    if path in tree.PAPERS:
        return "has the name of one of the release's own papers"
    if member.type not in _KINDS or member.issparse():
        return "is neither file, folder nor symbolic link"
    if "size" in member.pax_headers:
        return "has two sizes: readers differ in which of them counts"
    if member.mode & SPECIAL_BITS:
        return "is setuid, setgid or sticky"
    if member.issym() and _leaves(path, member.linkname):
        return "is a link out of the release"
    return None


def plain(path: str) -> bool:
    """Whether every reader takes this path for the same place inside."""
    return _PATH.fullmatch(path) is not None and not {".", ".."} & set(path.split("/"))


def _leaves(path: str, target: str) -> bool:
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    # Up only at the start: going up after going down could pass over another link and leave.
    return not plain(re.sub(r"^(\.\./)+", "", target)) or inside.startswith("../")


def _no(why: str) -> Refused:
    return Refused("archive_unsafe", f"The bundle {why}; nothing was unpacked.")
