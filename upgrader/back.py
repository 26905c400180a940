"""What a rollback names when it asks a second person, and when it has to ask. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fleet.phrases import count
from upgrader.states import U

STAYS = frozenset({U.DONE})
"""An abort leaves these: their old slots are retired."""


@dataclass(frozen=True)
class GoesBack:
    """One gateway on its way back."""

    id: int
    name: str
    to: str  # the release that it goes back to
    from_slot: int  # the old one's; 0: none was chosen yet
    to_slot: int
    gone: bool  # the old slot is retired: the old release has to be started again
    cut: int | None  # users whose sessions going back ends, for one release at a time serves there; None: it ends none
    sessions: int


def because(gateways: int, gone: int, most: int | None, *, cut: int = 0) -> str:
    """Why a second person has to agree; "" when one is enough. Equal is allowed. `cut`: users whom it would cut."""
    if cut:
        return (
            f"Rolling back needs a second person: it cuts {count(cut, 'user')}, where only one release at a time can"
            " serve."
        )
    if gone:
        slots = f"the old slot of {count(gone, 'gateway')} is" if gone == 1 else f"the old slots of {gone} gateways are"
        return f"Rolling back needs a second person: {slots} retired, so the old release must be started again."
    if most is not None and gateways > most:
        return (
            f"Rolling back needs a second person: it takes back {count(gateways, 'gateway')}, and one person alone may "
            f"take back {most}."
        )
    return ""


def digest_of(rollout: int, action: str, back: Sequence[GoesBack], cuts: Mapping[int, int] | None = None) -> str:
    """SHA-256 over the exact gateways, slots, releases and numbers of users who may be cut; others are only shown.

    `cuts`: those numbers by gateway as they were agreed; without it as they are now.
    """
    agreed = {it.id: it.cut for it in back if it.cut is not None} if cuts is None else cuts
    exact = [
        {name: value for name, value in asdict(it).items() if name != "sessions"} | {"cut": agreed.get(it.id)}
        for it in back
    ]
    said = {"rollout": rollout, "action": action, "gateways": sorted(exact, key=lambda it: int(it["id"]))}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def summary_of(plan: Mapping[str, Any], action: str, back: Sequence[GoesBack]) -> dict[str, Any]:
    """What the decider is shown."""
    return {
        "action": action,
        "release": plan["release"]["name"],
        "to": sorted({it.to for it in back}),
        "gateways": [{"id": it.id, "name": it.name, "to": it.to, "gone": it.gone, "cut": it.cut} for it in back],
        "gone": sum(it.gone for it in back),
        "stay": sum(it.sessions - (it.cut or 0) for it in back),
        "reconnect": sum(it.cut or 0 for it in back),
    }


def agreed_cuts(summary: Mapping[str, Any]) -> dict[int, int]:
    """Gateway → users who may be cut there, as the question named them."""
    return {int(it["id"]): int(it["cut"]) for it in summary["gateways"] if it.get("cut") is not None}


def more_than(agreed: Mapping[int, int], back: Sequence[GoesBack]) -> str:
    """Where more users would be cut by now than the question named, as a sentence; "" where nowhere."""
    for it in back:
        if it.cut is not None and it.cut > agreed.get(it.id, 0):
            return f"{count(it.cut, 'user')} are on {it.name} by now, and {agreed.get(it.id, 0)} were named."
    return ""
