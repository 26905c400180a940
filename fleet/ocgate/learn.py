"""What the kernel can't see: who has a valid session on which slot, from occtl, put into its memory.

A client may be silent for longer than the kernel remembers, or have come before the table; one between
`--authenticate` and connect, or in an outage, is in `show sessions valid` only (measured, reference 0.6).
"""

from __future__ import annotations

import ipaddress
from typing import Dict, FrozenSet, List, Tuple

from . import nft, restore, slots, table
from . import state as states
from .config import Config, SlotConfig, own_addresses
from .nft import Learnt
from .paths import Paths

# A client of a drained slot without a session is let go after this long without a packet: longer than it takes to
# type a one-time password, so that a sign-in under way ends where it began.
SILENT_SECONDS = 300


def refresh(config: Config, paths: Paths) -> None:
    """Renew who has a valid session; let go who has none on a slot that gets no new clients."""
    state = states.load(paths)
    seen = table.read()
    weights = slots.weights_now(state, trial=table.trial_of(state, seen))
    additions, removals = Learnt({}, {}, {}, {}), {}  # type: Tuple[Learnt, Dict[str, List[str]]]
    for slot in slots.every(config, state, paths):
        if not slot.running:
            continue
        known = restore.remotes_of(slot, ours=own_addresses(config))
        if slot.adopted:
            additions = merged(additions, adopted_of(known, seconds=config.sticky_seconds))
            continue
        own = config.slot(slot.number)
        additions = merged(additions, missing(seen.learnt, known, slot=own, seconds=config.sticky_seconds))
        if not weights.get(slot.number):
            for name, clients in silent(seen.learnt, known, slot=own, seconds=config.sticky_seconds).items():
                removals.setdefault(name, []).extend(clients)
    table.forget(removals)
    _renew(seen.learnt, additions)


def missing(learnt: Learnt, known: FrozenSet[str], *, slot: SlotConfig, seconds: int) -> Learnt:
    """Clients with a valid session that the kernel does not know, or will forget before half its time. Pure."""
    maps: List[Dict[str, Tuple[str, int]]] = [{}, {}]
    for client in known:
        six = ipaddress.ip_address(client).version == 6
        address = slot.ipv6 if six else slot.ipv4
        there = (learnt.sticky6 if six else learnt.sticky4).get(client)
        # Known on another slot: that one is newer, or both sit behind one address (0.9); the kernel's word stands.
        if address and (there is None or there[0] == address and there[1] < seconds // 2):
            maps[six][client] = (address, seconds)
    return Learnt(maps[0], maps[1], {}, {})


def silent(learnt: Learnt, known: FrozenSet[str], *, slot: SlotConfig, seconds: int) -> Dict[str, List[str]]:
    """Learnt clients of `slot` without a valid session that sent nothing for SILENT_SECONDS. Pure."""
    addresses = frozenset(filter(None, (slot.ipv4, slot.ipv6)))
    quiet = seconds - SILENT_SECONDS
    old = [{c: v for c, v in m.items() if v[1] < quiet} for m in (learnt.sticky4, learnt.sticky6)]
    return restore.strangers(Learnt(old[0], old[1]), addresses=addresses, known=known)


def adopted_of(known: FrozenSet[str], *, seconds: int) -> Learnt:
    """The adopted ocserv's clients, as accepted ones. Pure."""
    maps: List[Dict[str, int]] = [{}, {}]
    for client in known:
        maps[ipaddress.ip_address(client).version == 6][client] = seconds
    return Learnt({}, {}, maps[0], maps[1])


def merged(one: Learnt, other: Learnt) -> Learnt:
    """Both together; `other` wins."""
    return Learnt(
        {**one.sticky4, **other.sticky4},
        {**one.sticky6, **other.sticky6},
        {**one.adopted4, **other.adopted4},
        {**one.adopted6, **other.adopted6},
    )


def _renew(known: Learnt, additions: Learnt) -> None:
    # An element that is there keeps its timeout when it is added again, so it is taken out first, in one transaction.
    commands: List[str] = []
    for name in ("sticky4", "sticky6", "adopted4", "adopted6"):
        there = [client for client in getattr(additions, name) if client in getattr(known, name)]
        commands += nft.forget(name, there)
    commands += nft.elements(additions)
    if commands:
        table.apply(commands)
