"""What every verb is given, besides its arguments."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Optional

from .config import Config
from .paths import Paths
from .wire import Reader

Result = Dict[str, Any]


@dataclass
class Call:
    """One request under way. `send` writes a progress line; `raw` is the channel, for `stage` only."""

    paths: Paths
    config: Config
    args: Dict[str, Any]
    fence: int
    send: Callable[[Dict[str, Any]], None]
    raw: Optional[Reader] = None
    clock: Callable[[], float] = time.time
    # When the request was read, in seconds of the clock that nobody sets.
    began: float = field(default_factory=time.monotonic)
    # Set when raw bytes may still be under way, so that they can't be taken for requests.
    close_after: bool = field(default=False)

    def progress(self, what: str, *, done: int, total: int) -> None:
        """Tell the controller how far this is."""
        self.send({"progress": what, "done": done, "total": total})
