"""Where a gateway gets a bundle from: over the channel that asks it to, or by a download of its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RATE_MOST = 10**10
"""Bytes a second; what a gateway is told that may take all it gets."""

FAILED = frozenset({"download_stalled", "bundle_cut_short"})
"""Codes of a gateway whose download ended early. What came is kept."""


@dataclass(frozen=True)
class Download:
    """A bundle's address, and the ticket that opens it to one gateway for some minutes."""

    url: str
    ticket: str
    rate: int = 0  # bytes a second at most; 0: as fast as it comes


def source(download: Download | None) -> Mapping[str, str | int]:
    """The field `source` of `stage` (docs/ocgate-protocol.md)."""
    if download is None:
        return {"kind": "ssh"}
    return {"kind": "url", "url": download.url, "ticket": download.ticket, "rate": download.rate or RATE_MOST}
