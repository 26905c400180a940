"""A release that comes as multipart/form-data: each piece goes to the repository's disk once, hashed on the way.

Django would spool the whole request to a temporary file first and copy out of that. Pieces come in from the server
(upgrader/receiving.py); what is wrong is said at the end, when the whole request has come and an answer is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from approvals.errors import Refused
from releases import manifest, repository, sources

KEY = "handover.upload"
"""Where the request's ASGI scope carries the upload."""

FILES_MOST = 20
FIELDS_MOST = 64 * 1024  # bytes of all fields that are no files
NAMES_MOST = 50  # fields: names cost memory, too


@dataclass
class _File:
    """One file that comes, or came."""

    name: str
    out: BinaryIO
    most: int
    size: int = 0
    hashed: Any = field(default_factory=hashlib.sha256)


class Upload:
    """One request's files in a partial folder, and its fields. Use it from one thread at a time.

    `refusal` is the first thing that was wrong; from then on pieces are dropped.
    """

    def __init__(self, folder: Path, content_type: str) -> None:
        self.folder = folder
        self.fields: dict[str, str] = {}
        self.refusal = ""
        self._files: dict[str, _File] = {}
        self._count = 0
        self._headers: dict[str, str] = {}
        self._header = (bytearray(), bytearray())
        self._file: _File | None = None
        self._field: tuple[str, bytearray] | None = None
        self._whole = False
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        self._parser = MultipartParser(boundary or b"none", self._callbacks())

    def feed(self, data: bytes) -> None:
        """Take the next piece of the request."""
        if self.refusal:
            return
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            self.refuse(f"The upload can't be read as a form: {error}.")
        except Refused as no:
            self.refuse(no.say)
        except OSError as error:
            if not repository.is_full(error):
                raise
            self.refuse(repository.full())

    def end(self) -> None:
        """The request has come to its end."""
        if not self.refusal and not self._whole:
            self.refuse("The upload was cut short: its end did not come. Send it again.")

    def close(self) -> None:
        """Close what is still open."""
        if self._file:
            self._file.out.close()
            self._file = None

    def names(self) -> Sequence[str]:
        if self.refusal:
            raise Refused(self.refusal)
        return list(self._files)

    def text_into(self, folder: Path, name: str, *, most: int) -> bytes:
        self._there(name)
        return (folder / name).read_bytes()

    def bundle_into(self, folder: Path, said: manifest.Manifest) -> None:
        there = self._there(manifest.BUNDLE)
        sources.refuse_another(said, size=there.size, sha256=there.hashed.hexdigest())

    def _there(self, name: str) -> _File:
        if self.refusal:
            raise Refused(self.refusal)
        if not self._count:
            raise Refused("No file came with the form. Choose all files of the release, SHA256SUMS.asc among them.")
        if name not in self._files:
            raise Refused(f"{name} is missing.")
        return self._files[name]

    def refuse(self, say: str) -> None:
        """Take nothing more, and forget what came."""
        self.refusal = self.refusal or say
        self.close()
        for name in self._files:
            (self.folder / name).unlink(missing_ok=True)

    def _callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._write,
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._headers = {}

    def _end_header(self) -> None:
        name, value = (bytes(part).decode("utf-8", "replace") for part in self._header)
        self._headers[name.lower()] = value
        self._header = (bytearray(), bytearray())

    def _open(self) -> None:
        options = parse_options_header(self._headers.get("content-disposition", ""))[1]
        if b"filename" not in options:
            if len(self.fields) >= NAMES_MOST:
                raise Refused(f"The form has more than {NAMES_MOST} fields.")
            self._field = (options.get(b"name", b"").decode("utf-8", "replace"), bytearray())
            return
        # A browser may send a path; only its last part means anything here.
        name = options[b"filename"].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
        if not name:
            return  # a form whose field was left empty sends one
        self._count += 1
        if self._count > FILES_MOST:
            raise Refused(f"More than {FILES_MOST} files came with the form; a release has {FILES_MOST} at most.")
        if name in self._files:
            raise Refused(f"{name} came twice with the form.")
        if most := repository.most_of(name):
            self._file = self._files[name] = _File(name, (self.folder / name).open("xb", buffering=0), most)

    def _write(self, data: bytes, start: int, end: int) -> None:
        piece = memoryview(data)[start:end]
        if self._file:
            self._file.size += len(piece)
            if self._file.size > self._file.most:
                raise Refused(f"{self._file.name} is larger than {self._file.most} bytes.")
            write_all(self._file.out, piece)
            self._file.hashed.update(piece)
        elif self._field:
            self._field[1].extend(piece)
            if sum(map(len, self.fields.values())) + len(self._field[1]) > FIELDS_MOST:
                raise Refused(f"The form's fields have more than {FIELDS_MOST} bytes.")

    def _close(self) -> None:
        if self._file:
            sources.flush(self._file.out)
            self.close()
        elif self._field:
            self.fields[self._field[0]] = self._field[1].decode("utf-8", "replace")
            self._field = None

    def _end(self) -> None:
        self._whole = True


def write_all(out: BinaryIO, piece: memoryview) -> None:
    """Write every byte: a file without a buffer may take fewer."""
    while piece:
        piece = piece[out.write(piece) :]
