"""What the users themselves and each gateway's own occtl say: the figures that need no belief in the controller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.fleet import Lab


@dataclass(frozen=True)
class Users:
    """The lab's steady users at one moment: who is connected by occtl, and what their probes have counted so far."""

    sessions_of: frozenset[tuple[str, str, str]]  # (gateway, user, `Full session`)
    sent: int
    lost: int  # but for what was lost around cuts that were made on purpose
    lost_in_cuts: int
    longest_gap_ms: int
    reconnects: int

    @property
    def sessions(self) -> frozenset[tuple[str, str]]:
        """(gateway, `Full session`) of each."""
        return frozenset((gateway, session) for gateway, _, session in self.sessions_of)

    def kept(self, before: Users) -> int:
        """How many of the sessions of `before` are still there."""
        return len(self.sessions & before.sessions)


def users(lab: Lab) -> Users:
    """Ask every gateway's occtl and every client's probe now."""
    names = {client.user for client in lab.clients.all}
    rows = lab.clients.report()
    sessions = [
        (gateway.name, str(session["user"]), str(session["id"]))
        for gateway in lab.gateways
        for session in lab.occtl_sessions(gateway)
        if session["user"] in names
    ]
    return Users(
        sessions_of=frozenset(sessions),
        sent=total(rows, "sent"),
        lost=total(rows, "lost") - total(rows, "lost_in_outages"),
        lost_in_cuts=total(rows, "lost_in_outages"),
        longest_gap_ms=max((int(row["longest_gap_ms"]) for row in rows), default=0),
        reconnects=total(rows, "reconnects"),
    )


def total(rows: list[dict[str, Any]], name: str) -> int:
    return sum(int(row[name]) for row in rows)
