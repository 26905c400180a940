"""What the users themselves and each gateway's own occtl say: the figures that need no belief in the controller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.fleet import Lab


@dataclass(frozen=True)
class Users:
    """The lab's steady users at one moment: who is connected by occtl, and what their probes have counted so far."""

    sessions: frozenset[tuple[str, str]]  # (gateway, `Full session`)
    sent: int
    lost: int
    longest_gap_ms: int
    reconnects: int

    def kept(self, before: Users) -> int:
        """How many of the sessions of `before` are still there."""
        return len(self.sessions & before.sessions)


def users(lab: Lab) -> Users:
    """Ask every gateway's occtl and every client's probe now."""
    names = {client.user for client in lab.clients.all}
    rows = lab.clients.report()
    sessions = [
        (gateway.name, str(session["id"]))
        for gateway in lab.gateways
        for session in lab.occtl_sessions(gateway)
        if session["user"] in names
    ]
    return Users(
        sessions=frozenset(sessions),
        sent=total(rows, "sent"),
        lost=total(rows, "lost"),
        longest_gap_ms=max((int(row["longest_gap_ms"]) for row in rows), default=0),
        reconnects=total(rows, "reconnects"),
    )


def total(rows: list[dict[str, Any]], name: str) -> int:
    return sum(int(row[name]) for row in rows)
