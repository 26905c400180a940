"""What the program stands on: environment, streams, network, clock. Tests bring their own. And how it ends."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

OK, ERROR, USAGE, FAILED, AWAITING, TIMED_OUT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
"""Exit codes: done; refused or broken; called wrongly; a gate failed or it was rolled back; a person is awaited;
not over in time; Ctrl-C."""

Open = Callable[[urllib.request.Request, float], Any]


class Stop(Exception):
    """The program ends with this code and sentence."""

    def __init__(self, code: int, say: str) -> None:
        super().__init__(say)
        self.code, self.say = code, say


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever the answer points."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none: the answer is then an error with its status."""


def network(request: urllib.request.Request, seconds: float) -> Any:
    """Send one request; the answer is open, also one that says no."""
    return urllib.request.build_opener(NoRedirect).open(request, timeout=seconds)


@dataclass(frozen=True)
class Ground:
    """The world as the program sees it."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    open: Open = network
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def tell(self, text: str) -> None:
        """A message for people: never among the results."""
        print(text, file=self.err, flush=True)
