"""What pages and alerts show of quiet loss. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from approvals.models import User
from fleet.alerts import Call
from fleet.models import Gateway, QuietLoss, QuietWatch
from fleet.phrases import count, listed
from fleet.quiet import words
from fleet.quiet.measures import MEASURES
from fleet.selectors import gateways_for
from fleet.words import Word

LOST = Word("Quiet loss", "failed", "triangle-alert")
WELL = Word("No quiet loss", "done", "circle-check")
UNSEEN = Word("Not looked at", "unknown", "circle-question-mark")
ENDED_MOST = 5
AGAINST = {
    "pool": "held against gateways of the pool that kept their release",
    "past": "held against its own past",
    "": "with nothing older to hold it against",
}


@dataclass(frozen=True)
class Line:
    """One measure at the last look."""

    title: str
    change: str
    of_enough: int  # percent: its score, of what calls a person


def of_gateway(gateway: Gateway) -> dict[str, Any]:
    """The context of fleet/_gateway_quiet.html."""
    watch = QuietWatch.objects.filter(pk=gateway.pk).first()
    losses = list(gateway.losses.filter(ended_at=None))
    return {
        "quiet_word": LOST if losses else WELL if watch and watch.measures else UNSEEN,
        "quiet_watch": watch,
        "quiet_looked": datetime.fromtimestamp(watch.looked_at, UTC) if watch else None,
        "quiet_lines": lines(watch) if watch else [],
        "quiet_against": AGAINST[watch.against] if watch else "",
        "losses": losses,
        "losses_over": list(gateway.losses.exclude(ended_at=None).order_by("-ended_at")[:ENDED_MOST]),
    }


def lines(watch: QuietWatch) -> list[Line]:
    """What was measured at the last look, the clearest first."""
    told = sorted(watch.measures.items(), key=lambda item: -item[1][0] / item[1][1])
    return [
        Line(MEASURES[name].title, words.signed(total), max(0, round(100 * score / sure)))
        for name, (score, sure, total) in told
        if name in MEASURES
    ]


def of_release(name: str, user: User) -> dict[str, Any]:
    """The context of fleet/_release_quiet.html: losses under one release on gateways that the user may see."""
    mine = losses().filter(release=name, gateway__in=gateways_for(user))
    standing = list(mine.filter(ended_at=None).order_by("since"))
    seen = QuietWatch.objects.filter(release=name, gateway__in=gateways_for(user)).count()
    return {
        "losses": standing,
        "losses_over": list(mine.exclude(ended_at=None).order_by("-ended_at")[:ENDED_MOST]),
        "quiet_seen": seen,
        "quiet_say": summary(standing, seen),
    }


def summary(standing: list[QuietLoss], seen: int) -> str:
    if not seen:
        return "No gateway that you may see has served it for 2 hours with users on it: nothing is known yet."
    if not standing:
        return f"Nothing got worse on {count(seen, 'gateway')} that served it for 2 hours or more."
    names = listed([loss.gateway.name for loss in standing])
    return f"It got worse on {len(standing)} of {count(seen, 'gateway')} that served it: {names}."


def losses() -> QuerySet[QuietLoss]:
    return QuietLoss.objects.select_related("gateway__pool")


def calls() -> Iterator[Call]:
    """Every loss that stands calls a person; grouping them is the caller's."""
    for loss in losses().filter(ended_at=None).order_by("pk"):
        gateway = loss.gateway
        link = f"{reverse('gateway', args=[gateway.pk])}#quiet"
        about = f"{loss.release} on {gateway.name}"
        yield Call("quiet", f"quiet:{loss.pk}", about, loss.say, link, pool=gateway.pool, gateway=gateway)
