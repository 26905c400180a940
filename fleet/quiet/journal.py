"""The one writer of losses: found, worse, gone; each with its event in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from approvals import audit
from approvals.models import Actor
from fleet.models import QuietLoss, QuietWatch
from fleet.quiet.detect import Score

WATCHER = Actor.machine("quiet")
WORSE = 1.5  # times what was said: it is said anew
GONE = "It is gone: two looks did not find it any more."


@dataclass(frozen=True)
class Found:
    """What a look calls a person for."""

    score: Score  # the clearest
    say: str


def find(watch: QuietWatch, found: Found, *, now: datetime) -> bool:
    """Open the loss, or bring it up to date; whether that was news."""
    key = {"gateway_id": watch.gateway_id, "slot": watch.slot, "release": watch.release}
    score = found.score
    row = {"measure": score.name, "grows": score.shape.grows, "since": score.shape.since, "change": score.change}
    try:
        with transaction.atomic():
            known = QuietLoss.objects.filter(**key, ended_at=None).first()
            if known is None:
                times = {"begin": watch.begin, "total": score.total, "found_at": now, "seen_at": now}
                loss = QuietLoss.objects.create(**key, **row, **times, say=found.say)
                _record("found", loss, reason=found.say, now=now)
                return True
            open_row = QuietLoss.objects.filter(pk=known.pk, ended_at=None, seen_at=known.seen_at)
            if known.measure == score.name and abs(score.total) < WORSE * abs(known.total):
                open_row.update(seen_at=now)
                return False
            if open_row.update(**row, total=score.total, say=found.say, seen_at=now):
                _record("worse", known, reason=found.say, now=now)
                return True
            return False
    except IntegrityError:
        return False  # another worker found it at the same moment


def end(loss: QuietLoss, *, why: str, now: datetime) -> bool:
    """False when it had ended already."""
    with transaction.atomic():
        if not QuietLoss.objects.filter(pk=loss.pk, ended_at=None).update(ended_at=now, ended_why=why[:200]):
            return False
        _record("ended", loss, reason=why, now=now)
        return True


def _record(verb: str, loss: QuietLoss, *, reason: str, now: datetime) -> None:
    about: dict[str, Any] = {"loss": loss.pk, "release": loss.release, "slot": loss.slot}
    audit.append(
        f"quiet.{verb}", subject=f"gateway:{loss.gateway_id}", actor=WATCHER, at=now, reason=reason, details=about
    )
