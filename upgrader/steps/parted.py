"""Who was cut by a step, as its result has it: by it a complaint finds what happened to its user. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.ports import Session


def parted(cut: Iterable[tuple[str, str]], there: Iterable[Session] = ()) -> list[list[str]]:
    """[session id, user, public address, VPN address] of each; "" for what was not seen. `there`: sessions before."""
    known = {session.id: session for session in there}
    found = []
    for number, user in cut:
        session = known.get(number)
        found.append([number, user, session.remote if session else "", session.vpn_ip if session else ""])
    return found
