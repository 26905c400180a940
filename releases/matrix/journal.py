"""The only writer of the matrix's rows: a run begins, says how far it is, gets its cells, ends; with its events."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor
from releases.matrix.ports import Outcome
from releases.models import MatrixCell, MatrixRun, Release

S = MatrixRun.State
LOG_MOST = 64 * 1024  # bytes of a cell's log; its end is kept
SILENT = timedelta(minutes=3)
"""A run that has said nothing for so long is dead: its process was killed before it could say so."""


def begin(release: Release, *, part: str, upgraded_from: str, actor: Actor, now: datetime) -> MatrixRun:
    """Begin a run. Refused while another one of the same release and part is under way."""
    bury(now=now)
    with transaction.atomic():
        # The lock makes two that begin at once wait for each other.
        Release.objects.select_for_update().get(pk=release.pk)
        if busy := MatrixRun.objects.filter(release=release, part=part, state=S.RUNNING).first():
            raise Refused(
                f"The {part} tests of {release.name} run since {busy.started_at:%H:%M:%S} UTC. Wait for them."
            )
        run = MatrixRun.objects.create(
            release=release,
            part=part,
            upgraded_from=upgraded_from,
            place=platform.node()[:80],
            progress={"say": "starting", "done": 0, "total": 0, "at": now.isoformat(), "pid": os.getpid()},
            started_at=now,
        )
        details = {"part": part, "from": upgraded_from, "run": run.pk}
        audit.append("matrix.began", subject=f"release:{release.pk}", actor=actor, at=now, details=details)
        return run


def tell(run: MatrixRun, say: str, done: int, total: int, *, now: datetime) -> None:
    """Note how far the run is; nothing once it has ended."""
    progress = {**run.progress, "say": say[:200], "done": done, "total": total, "at": now.isoformat()}
    MatrixRun.objects.filter(pk=run.pk, state=S.RUNNING).update(progress=progress)


def found(run: MatrixRun, test: str, outcome: Outcome, *, seconds: float) -> MatrixCell:
    """Keep what one test found."""
    return MatrixCell.objects.create(
        run=run,
        test=test,
        verdict=outcome.verdict.value,
        say=outcome.say,
        numbers=dict(outcome.numbers),
        log=outcome.log.replace("\x00", "\ufffd").encode()[-LOG_MOST:].decode(errors="ignore"),
        seconds=round(seconds, 3),
    )


def finish(run: MatrixRun, *, versions: Mapping[str, str], actor: Actor, now: datetime) -> MatrixRun:
    """End a run that came to its end."""
    cells = list(run.cells.values_list("verdict", flat=True))
    counts = {verdict: cells.count(verdict) for verdict in MatrixCell.Verdict.values}
    say = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "no results"
    return _end(run, S.DONE, {"say": say, "versions": dict(versions)}, actor=actor, now=now)


def fail(run: MatrixRun, say: str, *, actor: Actor, now: datetime) -> MatrixRun:
    """End a run that could not go on; that is no verdict on the release."""
    return _end(run, S.FAILED, {"say": say}, actor=actor, now=now)


def bury(*, now: datetime) -> None:
    """End the runs whose process has died without a word."""
    for run in MatrixRun.objects.filter(state=S.RUNNING, started_at__lt=now - SILENT):
        if is_silent(run, now=now):
            say = f"Nothing was heard of it since {run.progress.get('say', 'its begin')!r}: its process has ended."
            _end(run, S.FAILED, {"say": say}, actor=Actor.machine("matrix"), now=now)


def is_silent(run: MatrixRun, *, now: datetime) -> bool:
    """Whether a run that should be under way has said nothing for too long."""
    said = run.progress.get("at", "")
    return run.state == S.RUNNING and now - (datetime.fromisoformat(said) if said else run.started_at) > SILENT


def _end(run: MatrixRun, state: str, columns: Mapping[str, Any], *, actor: Actor, now: datetime) -> MatrixRun:
    with transaction.atomic():
        if MatrixRun.objects.filter(pk=run.pk, state=S.RUNNING).update(state=state, ended_at=now, **columns):
            about = {"part": run.part, "from": run.upgraded_from, "run": run.pk, "say": columns["say"]}
            subject = f"release:{run.release_id}"
            audit.append(f"matrix.{state}", subject=subject, actor=actor, at=now, details=about)
    run.refresh_from_db()
    return run
