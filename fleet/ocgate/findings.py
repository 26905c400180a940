"""One thing that `check` found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`level` is error, warning or note; only an error stops an upgrade."""

    level: str
    code: str
    say: str
