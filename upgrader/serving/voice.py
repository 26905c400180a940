"""What the supervisor says, and what programs say that are not ours, as lines of the one log (upgrader/logs.py)."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path

from upgrader import logs

VALKEY = re.compile(r"\d+:[XCSM] \d+ \w{3} \d{4} [\d:.]+ (?P<mark>[.*#-]) (?P<say>.*)")
MARKS = {".": logging.DEBUG, "-": logging.INFO, "*": logging.INFO, "#": logging.WARNING}
LINE_MOST = 8192  # bytes; what is longer is told in pieces


def line(name: str, message: str, level: int = logging.INFO) -> str:
    """One line of the log, in the format that HANDOVER_LOG names; on a terminal as text."""
    try:
        form = logs.chosen(os.environ.get("HANDOVER_LOG", "json"))[0]
    except ValueError:  # the settings refuse it with a sentence
        form = "json"
    formatter = logs.Text() if form == "text" or sys.stderr.isatty() else logs.Json()
    return formatter.format(logging.LogRecord(name, level, "", 0, message, None, None))


def retold(name: str, said: str) -> str:
    """A line of a program of others: Valkey's with its own level."""
    found = VALKEY.fullmatch(said)
    return line(name, found["say"], MARKS[found["mark"]]) if found else line(name, said)


class Relay:
    """Reads what one program says, line by line, without ever waiting for it. `file`: where to, else stderr."""

    def __init__(self, name: str, file: Path | None) -> None:
        self._name, self._file, self._rest = name, file, b""
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def started(self) -> None:
        """The program has its end: ours of it is closed, or nobody would see its end."""
        os.close(self.writing)

    def pull(self) -> bool:
        """Tell what has come; False when the program has closed its end."""
        while True:
            try:
                chunk = os.read(self.reading, 65536)
            except BlockingIOError:
                return True
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if not chunk or len(self._rest) > LINE_MOST:
                lines, self._rest = [*lines, self._rest], b""
            self._tell([text.decode(errors="replace").rstrip() for text in lines])
            if not chunk:
                return False

    def close(self) -> None:
        """Tell the rest; not more is read."""
        self.pull()
        os.close(self.reading)

    def _tell(self, lines: list[str]) -> None:
        told = "".join(f"{retold(self._name, text)}\n" for text in lines if text.strip())
        if self._file is not None and told:
            with self._file.open("a") as out:
                out.write(told)
        elif told:
            sys.stderr.write(told)
            sys.stderr.flush()
