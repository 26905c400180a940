"""Bytes in, JSON lines out: one channel's reader with its limits, and its writer."""

from __future__ import annotations

import json
import os
import select
from typing import Any, Dict, Optional

CHUNK = 65536


class LineTooLong(Exception):
    """The other side sent more than the limit without a newline."""


class CutShort(Exception):
    """The other side closed the channel in the middle of a line."""


class Reader:
    """Lines, and for `stage` raw bytes, from one file descriptor."""

    def __init__(self, handle: int, *, line_max: int) -> None:
        self._handle = handle
        self._line_max = line_max
        self._buffer = b""

    def line(self) -> Optional[bytes]:
        """The next line without its newline; None at the end; raises LineTooLong or CutShort."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > self._line_max:
                raise LineTooLong
            chunk = os.read(self._handle, CHUNK)
            if not chunk:
                if self._buffer:
                    raise CutShort
                return None
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        if len(line) > self._line_max:
            raise LineTooLong
        return line

    def raw(self, most: int, *, timeout: float) -> Optional[bytes]:
        """Up to `most` raw bytes, b"" at the end; None when nothing came for `timeout` seconds."""
        if self._buffer:
            chunk, self._buffer = self._buffer[:most], self._buffer[most:]
            return chunk
        ready, _, _ = select.select([self._handle], [], [], timeout)
        return os.read(self._handle, min(most, CHUNK)) if ready else None


class Writer:
    """One JSON line each, ASCII only, written at once."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def send(self, message: Dict[str, Any]) -> None:
        """Write `message`; BrokenPipeError when the other side is gone."""
        data = json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self._handle, data) :]
