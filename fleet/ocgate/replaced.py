"""How long a release stays in another's place before `keep` takes it back. Pure but for the boot's clock."""

from __future__ import annotations

from typing import Dict, Optional

from .loaded import now
from .state import State, boot_id


def left(state: State) -> float:
    """Seconds until `keep` takes the replacement back; 0 when there is none."""
    trial = state.replaced
    return max(0.0, trial.until - now()) if trial is not None and trial.boot == boot_id() else 0.0


def trial_of(state: State) -> Optional[Dict[int, int]]:
    """The weights of a replacement on trial, as a shift's."""
    return {state.replaced.slot: 100} if state.replaced is not None and left(state) else None
