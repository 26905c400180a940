"""Alerts that are not drift, as pages show them, and whom they call. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.urls import reverse

from approvals.models import User
from fleet.alerts import ALARM, CALLS
from fleet.models import Alert
from fleet.selectors import pools_with, visible_pools
from fleet.words import Word

WORDS = {
    "rollback": Word("Rollback asked", "waiting", "undo-2"),
    "drain": Word("Drain over its time", "waiting", "clock"),
    "hold": Word("Needs a person", "held", "hand"),
    "freeze": Word("Passes a freeze", "failed", "triangle-alert"),
    "budget": Word("Over the budget", "failed", "unplug"),
    "peers": Word("Its peers disagree", "failed", "triangle-alert"),
    "alarm": Word("Alarm", "failed", "triangle-alert"),
    "contact": Word("Contact not reached", "failed", "unplug"),
    "quiet": Word("Quiet loss", "failed", "triangle-alert"),
    "approval": Word("Waits for a decision", "waiting", "hand"),
    "glass": Word("Done alone", "failed", "triangle-alert"),
    "passkey": Word("Passkey copied", "failed", "key-round"),
    "record": Word("The record is not signed", "failed", "triangle-alert"),
    "copies": Word("Copies are behind", "failed", "unplug"),
}
APPROVES = "approve_rollout"
RIGHT = {"rollback": APPROVES, "approval": APPROVES, "hold": "rollback_rollout"}  # who is called; else: who may hold
KINDS = (*CALLS, ALARM, "contact", "record", "copies")
DECIDED = frozenset({"rollback", "drain", "hold", "approval", "glass"})
"""On a page of its own; what is asked is counted itself with these."""


@dataclass(frozen=True)
class CallView:
    row: Alert
    word: Word
    mine: bool
    decided: bool

    @property
    def about(self) -> str:
        return str(self.row.details.get("about", ""))

    @property
    def link(self) -> str:
        """Where it is decided; an alarm that is about no rollout has a page of its own."""
        return self.row.link or reverse("alert-told", args=[self.row.pk])

    @property
    def where(self) -> str:
        return self.row.pool.name if self.row.pool else "the whole fleet"


def calls_for(user: User) -> QuerySet[Alert]:
    """Calls about pools that the user may look at; those about the fleet are shown to whoever may look at any."""
    mine = visible_pools(user)
    seen = Q(pool__in=mine) | Q(pool=None) if mine.exists() else Q(pool__in=mine)
    return Alert.objects.filter(seen, kind__in=KINDS).select_related("pool", "notice__acked_by")


def waiting_for(user: User) -> QuerySet[Alert]:
    """Open calls for this person that no rollout of his list stands for already, and that nobody looks after yet."""
    pools = pools_with(user, "hold_rollout")
    called = Q(pool__in=pools) | Q(pool=None) if pools.exists() else Q(pool__in=pools)
    rest = [kind for kind in KINDS if kind not in DECIDED]
    rows = Alert.objects.filter(called, kind__in=rest, ended_at=None).exclude(notice__acked_at__isnull=False)
    return rows.select_related("pool", "notice__acked_by").order_by("since")


def views(rows: Iterable[Alert], user: User) -> list[CallView]:
    """Calls with whether this person is called."""
    may = {codename: set(pools_with(user, codename).values_list("pk", flat=True)) for codename in CODENAMES}
    return [
        CallView(row, word_of(row), _is_mine(row, may[RIGHT.get(row.kind, HOLD)]), row.kind in DECIDED) for row in rows
    ]


def word_of(row: Alert) -> Word:
    """An alarm's own severity says more than that it is one."""
    return SEVERITY.get(str(row.details.get("severity")), WORDS[row.kind])


SEVERITY = {
    "critical": Word("Critical", "failed", "triangle-alert"),
    "warning": Word("Warning", "held", "triangle-alert"),
}
HOLD = "hold_rollout"
CODENAMES = (HOLD, *RIGHT.values())


def _is_mine(row: Alert, pools: set[int]) -> bool:
    return row.pool_id in pools if row.pool_id else bool(pools)
