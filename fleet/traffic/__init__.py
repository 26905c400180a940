"""The balancers in front of gateways: `open` returns the adapter of the one that a gateway's row names."""

from __future__ import annotations

from fleet.traffic.rows import DRIVERS, open, opened, way_of, will_cut

__all__ = ["DRIVERS", "open", "opened", "way_of", "will_cut"]
