"""Verdicts as rows: one that is kept fresh while a wave is observed, and the final one that moved it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from upgrader.decide import Move, current
from upgrader.models import Verdict
from upgrader.see import Looked
from upgrader.states import R, W


def note(looked: Looked, *, now: datetime) -> None:
    """Keep the verdict so far of each wave under observation."""
    for wave_id, judgement in looked.judgements.items():
        wave = looked.waves[wave_id]
        row = Verdict.objects.filter(wave=wave, stage=wave.stage, final=False).first()
        if row is None:
            row = Verdict(wave=wave, stage=wave.stage)
        elif (row.outcome, row.sentence) == (judgement.outcome, judgement.sentence):
            continue
        row.outcome, row.sentence, row.numbers, row.at = (
            judgement.outcome,
            judgement.sentence,
            judgement.numbers,
            now,
        )
        row.save()


def seal(looked: Looked, step: Move, *, now: datetime) -> Mapping[str, Any] | None:
    """Make the verdict that caused this move final; return its numbers for the record."""
    wave_id = judged_wave(looked, step)
    judgement = looked.judgements.get(wave_id)
    if judgement is None:
        return None
    Verdict.objects.create(
        wave=looked.waves[wave_id],
        stage=looked.waves[wave_id].stage,
        outcome=judgement.outcome,
        sentence=judgement.sentence,
        numbers=judgement.numbers,
        at=now,
        final=True,
    )
    return {"verdict": str(judgement.outcome), "sentence": judgement.sentence, **judgement.numbers}


def judged_wave(looked: Looked, step: Move) -> int:
    """The wave whose verdict is the reason of a move; 0 when there is none."""
    if step.what == "wave" and (step.stage is not None or step.to is W.COMMITTING):
        return step.ids[0]
    if step.what == "rollout" and step.to in (R.ROLLING_BACK, R.WAITING_PROMOTION):
        wave = current(looked.seen)
        return wave.id if wave else 0
    return 0
