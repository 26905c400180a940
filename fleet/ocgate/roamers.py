"""Users with a fixed address who came back on another slot: two routes for one address, and traffic goes nowhere.

Measured (reference 0.10): it stays so until the older session is disconnected, so that is done for them.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

from . import slots
from . import state as states
from .config import Config
from .errors import Answered
from .occtl import Session
from .paths import Paths


def end_older(config: Config, paths: Paths) -> List[str]:
    """Disconnect the older of two sessions that hold the same VPN address on two slots; what was done, in sentences."""
    state = states.load(paths)
    running = [slot for slot in slots.every(config, state, paths) if slot.running]
    if len(running) < 2:
        return []
    by_slot: Dict[int, List[Session]] = {}
    for slot in running:
        try:
            by_slot[slot.number] = slots.control_of(slot).users()
        except Answered:
            continue
    controls = {slot.number: slots.control_of(slot) for slot in running}
    said = []
    for number, session in older(by_slot):
        controls[number].disconnect(session.worker)
        said.append(f"{session.vpn_ip} was held twice; the older session, on slot {number}, was ended.")
    return said


def older(by_slot: Dict[int, List[Session]]) -> List[Tuple[int, Session]]:
    """Of sessions of one user with one VPN address on several slots, all but the newest. Pure."""
    held: Dict[Tuple[str, str], List[Tuple[int, Session]]] = {}
    for number, sessions in by_slot.items():
        for session in sessions:
            if session.vpn_ip:
                held.setdefault((session.user, session.vpn_ip), []).append((number, session))
    found = []
    for holders in held.values():
        if len({number for number, _ in holders}) > 1:
            # Times before 1.2.3 are to the minute: among equals the one with the higher worker pid is the newer.
            ordered = sorted(holders, key=lambda one: (one[1].since, one[1].worker))
            found += ordered[:-1]
    return found
