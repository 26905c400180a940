"""`manage.py judge replay ROLLOUT --strategy FILE`: would these gates have fired, when, and at what cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fleet.phrases import count, duration
from upgrader import plans
from upgrader.models import Rollout
from upgrader.replay import Replayed, replay
from upgrader.strategy import Limits
from upgrader.strategy_text import TextError, read


class Command(BaseCommand):
    help = "Judge a past rollout again by the limits of a strategy, or by its own. Nothing is written."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        again = actions.add_parser("replay", help="would these gates have fired, when, and at what cost")
        again.add_argument("rollout", type=int)
        again.add_argument("--strategy", type=Path, help="a strategy's text; without it the rollout's own")
        again.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        rollout = Rollout.objects.select_related("release", "pool").filter(pk=options["rollout"]).first()
        if rollout is None:
            raise CommandError(f"There is no rollout {options['rollout']}.")
        found = replay(rollout, limits_of(rollout, options["strategy"]))
        if options["json"]:
            self.stdout.write(json.dumps([as_data(one) for one in found]))
            return
        self.stdout.write("\n".join(said(one) for one in found) or "No sample of its observations is left.")


def limits_of(rollout: Rollout, path: Path | None) -> Limits:
    if path is None:
        return plans.spec_of(rollout).limits
    try:
        return read(path.read_text(encoding="utf-8")).spec.limits
    except (OSError, UnicodeDecodeError, TextError) as wrong:
        raise CommandError(f"{path}: {wrong}") from wrong


def said(one: Replayed) -> str:
    took = duration((one.ended - one.began).total_seconds())
    head = f"Wave {one.wave} at {one.share} %, {count(one.looks, 'look')} in {took}"
    then = f"it was {one.was.replace('_', ' ')}" if one.was else "no verdict moved it"
    if one.fired_at is None:
        return f"{head}: would not have fired ({one.now.outcome.replace('_', ' ')}; {then}). {one.now.sentence}"
    after = duration((one.fired_at - one.began).total_seconds())
    cost = f"{count(one.failed_before, 'login')} had failed by then, {one.failed_after} more until it ended"
    return f"{head}: would have fired after {after} ({then}). {one.now.sentence} Cost: {cost}."


def as_data(one: Replayed) -> dict[str, Any]:
    return {
        "wave": one.wave,
        "share": one.share,
        "began": one.began.isoformat(),
        "ended": one.ended.isoformat(),
        "looks": one.looks,
        "was": one.was,
        "outcome": str(one.now.outcome),
        "sentence": one.now.sentence,
        "fired_at": one.fired_at.isoformat() if one.fired_at else None,
        "failed_before": one.failed_before,
        "failed_after": one.failed_after,
        "numbers": one.now.numbers,
    }
