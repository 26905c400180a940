"""Where a simulated gateway sends its new clients. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Place:
    slot: int
    release: str


@dataclass
class Steering:
    committed: Place | None = None
    previous: Place | None = None
    trial: dict[int, int] | None = None
    until: float = math.inf
    restored: bool = False  # `previous` was gone back to; asking again finds it done
    back: Place | None = None  # without nft: what the trial was put in place of, stopped
    turn: int = 0  # counts what steered; a shift that waits is cancelled by the next

    def dump(self) -> dict[str, Any]:
        """As data for JSON."""
        return {**asdict(self), "until": None if math.isinf(self.until) else self.until}

    @classmethod
    def load(cls, raw: dict[str, Any]) -> Steering:
        """From what `dump` gave."""
        places = {name: Place(**raw[name]) if raw.get(name) else None for name in ("committed", "previous", "back")}
        return cls(
            **places,
            trial={int(slot): weight for slot, weight in raw["trial"].items()} if raw["trial"] else None,
            until=math.inf if raw["until"] is None else float(raw["until"]),
            restored=bool(raw["restored"]),
            turn=int(raw.get("turn", 0)),
        )
