"""A line of the log: JSON for machines, text for people. Neither carries a secret. Standard library only.

What a record is about comes from approvals.trail, so a line of any module says which request and which rollout.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from approvals import trail
from fleet.ocgate import mask

FORMATS = ("json", "text")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_TICKET = re.compile(r"/kit/[^/\s\"']+")  # an address that is a secret


def chosen(text: str) -> tuple[str, str]:
    """Format and least level from HANDOVER_LOG: "json", "text", "WARNING" or "text,WARNING". ValueError with a
    sentence for anything else: a log that nobody reads is found out too late.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word.lower() not in FORMATS and word.upper() not in LEVELS:
            known = ", ".join((*FORMATS, *LEVELS))
            raise ValueError(f"HANDOVER_LOG knows no “{word}”: it takes one or two of {known}, with a comma.")
    form = next((word.lower() for word in words if word.lower() in FORMATS), "json")
    return form, next((word.upper() for word in words if word.upper() in LEVELS), "INFO")


def clean(text: str) -> str:
    """Without passwords, tokens, keys and addresses that are tickets."""
    return _TICKET.sub(f"/kit/{mask.HIDDEN}", mask.text(text))


class Json(logging.Formatter):
    """One JSON object a line: at, level, logger, message, what it is about, and the fault's traceback."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {"at": at, "level": record.levelname, "logger": record.name}
        told |= {"message": clean(record.getMessage()), **trail.told()}
        if record.exc_info:
            told["fault"] = clean(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False, default=str)


class Text(logging.Formatter):
    """The same for a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(f"{name}={value}" for name, value in trail.told().items())
        return clean(super().format(record)) + (f" [{about}]" if about else "")


def take_over(*names: str) -> None:
    """Let these loggers write as all do: some servers bring handlers of their own."""
    for name in names:
        log = logging.getLogger(name)
        log.handlers.clear()
        log.propagate = True


def speak_for_all() -> None:
    """Let warnings of libraries, and faults that nobody caught in any thread, be lines of the log as well."""
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def _uncaught(kind: type[BaseException], fault: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, (SystemExit, KeyboardInterrupt)):
        return
    said = (kind, fault or kind(), trace)
    logging.getLogger("upgrader.logs").critical("nobody caught this: %s", kind.__name__, exc_info=said)
