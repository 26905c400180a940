"""Reach a gateway: `open` returns the adapter that its row names."""

from __future__ import annotations

from fleet.gateways.rows import close_all, open

__all__ = ["close_all", "open"]
