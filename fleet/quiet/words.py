"""What was found, as sentences. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fleet.phrases import clock, duration, listed
from fleet.quiet.detect import Judged, Score
from fleet.quiet.usual import PEERS

AT_ONCE = 900  # seconds after the begin that are the begin


@dataclass(frozen=True)
class Place:
    """`begin`: when the release had its first user there, epoch seconds."""

    gateway: str
    release: str
    begin: int


def sentence(place: Place, lasting: Sequence[Score], judged: Judged, now: datetime) -> str:
    """What got worse, since when, and on whom else. `lasting`: at least one, the clearest first."""
    first, *more = lasting
    when = f"since {clock(datetime.fromtimestamp(first.shape.since, UTC), now)} UTC, {after(place, first.shape.since)}"
    if judged.together:
        every = listed([f"{lower(one.measure.title)} by {percent(one.total)}" for one in lasting], most=6)
        return f"On {place.gateway} several things together got worse {when}: {every}. Each alone could be chance."
    also = ""
    if more:
        told = listed([f"{lower(one.measure.title)} ({signed(one.total)})" for one in more])
        also = f" With it went {told}."
    return f"{first.measure.title} on {place.gateway} {moves(first)} {when}; {elsewhere(first, judged)}.{also}"


def moves(score: Score) -> str:
    if score.shape.grows:
        return f"{'grows' if score.change > 0 else 'falls'} {percent(score.change)} an hour"
    return f"is {percent(score.change)} {'higher' if score.change > 0 else 'lower'}"


def after(place: Place, since: int) -> str:
    if since - place.begin < AT_ONCE:
        return f"when {place.release} began to serve"
    return f"{duration(since - place.begin)} after {place.release} began to serve"


def elsewhere(score: Score, judged: Judged) -> str:
    """What it was held against, and what was seen there."""
    if judged.against == "pool":
        if score.alike:
            return f"{score.alike} of {judged.controls} other gateways of the pool show the same"
        does = "does" if score.shape.grows else "is"
        return f"on {judged.controls} gateways of the pool that kept their release it {does} not"
    why = f"fewer than {PEERS} other gateways of the pool kept their release"
    if judged.against == "past":
        return f"held against its own past, for {why}"
    return f"there is nothing older to hold it against, and {why}"


def percent(change: float) -> str:
    """A size without its sign, with the digits that a person needs."""
    size = abs(100 * change)
    return f"{size:.1f} %" if size < 10 else f"{size:,.0f} %"


def signed(change: float) -> str:
    return f"{'+' if change > 0 else '−'}{percent(change)}"


def lower(title: str) -> str:
    return title if title[:2].isupper() else title[0].lower() + title[1:]
