"""Which gateways no new user reaches, as their balancers said last; and which of those stand idle by intent.

Two pools may share a backend, of which one serves and one stands idle (blue-green between pools). Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.models import Balancer, Gateway

Place = tuple[int, str]
"""A balancer's id and the name of a backend."""


@dataclass(frozen=True)
class Stands:
    """One gateway behind its balancer, as the peers said last. `weights`: of all its servers on all peers."""

    name: str
    pool: int
    place: Place
    takes_new: bool
    weights: frozenset[int]


Said = Mapping[tuple[int, str], Sequence[Mapping[str, Any]]]
"""Balancer's id and gateway's name → its servers on all peers."""


def stands() -> list[Stands]:
    """Every gateway that its balancer's peers have spoken of."""
    return _stands(_said())


def drained() -> list[str]:
    """Names of the gateways to which no peer sends new users, without those of a pool that stands idle."""
    said = _said()
    if all(any(map(_takes_new, servers)) for servers in said.values()):
        return []  # as nearly always: no gateway's row has to be read
    known = _stands(said)
    open_at: dict[Place, set[int]] = {}
    for one in known:
        if one.takes_new:
            open_at.setdefault(one.place, set()).add(one.pool)
    return [one.name for one in known if not one.takes_new and not _idle(one, open_at.get(one.place, set()))]


def _said() -> Said:
    found: dict[tuple[int, str], Sequence[Mapping[str, Any]]] = {}
    for pk, seen in Balancer.objects.order_by().values_list("pk", "seen"):
        for name, state in seen.get("gateways", {}).items():
            if servers := [server for peer in state.get("peers", ()) for server in peer["servers"]]:
                found[pk, name] = servers
    return found


def _stands(said: Said) -> list[Stands]:
    rows = Gateway.objects.filter(front__isnull=False).order_by("name") if said else Gateway.objects.none()
    return [
        Stands(name, pool, (front, backend), any(map(_takes_new, servers)), frozenset(s["weight"] for s in servers))
        for name, pool, front, backend in rows.values_list("name", "pool_id", "front_id", "backend")
        if front is not None and (servers := said.get((front, name)))
    ]


def _idle(one: Stands, open_pools: set[int]) -> bool:
    """Nobody new reaches any gateway of its pool, and another pool serves in the same backend."""
    return bool(open_pools) and one.pool not in open_pools


def _takes_new(server: Mapping[str, Any]) -> bool:
    return bool(server["admin"] == "ready" and server["weight"] > 0)
