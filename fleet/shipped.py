"""The ocgate that this controller brings along: what a gateway's own is compared with."""

from __future__ import annotations

import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path

from fleet.ocgate import VERSION, build

__all__ = ["VERSION", "sha256"]


@lru_cache(maxsize=1)
def sha256() -> str:
    """SHA-256 of the zipapp, lower-case hex: the same bytes from the same sources."""
    with tempfile.TemporaryDirectory() as folder:
        return hashlib.sha256(build.build(Path(folder) / "ocgate").read_bytes()).hexdigest()
