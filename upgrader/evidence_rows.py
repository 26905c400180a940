"""Rows and events of one rollout, as evidence_chain.py takes them. Reads only; the number of queries is fixed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Prefetch

from approvals import record_index
from approvals.models import AuditEvent, EventAbout, Request
from approvals.story import tell
from releases import standing
from releases.models import MatrixCell, MatrixRun
from upgrader.evidence_chain import Gathered
from upgrader.models import Rollout, StepRun, Upgrade, Verdict
from upgrader.plan import digest

EVENTS_MOST = 50_000
PAGE_READS = 20_000  # events that a page reads into the index; the clock does the rest


def gather(rollout: Rollout, events: list[AuditEvent], *, now: datetime) -> Gathered:
    return Gathered(
        rollout=_rollout(rollout),
        signatures=_signatures(rollout, now),
        runs=_runs(rollout),
        requests=_requests(rollout),
        waves=_waves(rollout),
        gateways=_gateways(rollout),
        events=[_event(event) for event in events],
    )


def events_of(rollout: Rollout, *, whole: bool) -> list[AuditEvent]:
    """Every event about the rollout, oldest first, at most EVENTS_MOST. `whole`: however much has to be read for it."""
    record_index.catch_up(most=10_000_000 if whole else PAGE_READS)
    about = EventAbout.objects.filter(about=f"rollout:{rollout.pk}").order_by("event").values("event")[:EVENTS_MOST]
    return list(AuditEvent.objects.filter(seq__in=about).order_by("seq"))


def _event(event: AuditEvent) -> dict[str, Any]:
    told = tell(event)
    said = {"seq": told.seq, "at": told.at, "verb": told.verb, "who": told.who, "why": told.reason}
    return {**said, "subject": told.subject, "details": told.details, "what": told.what, "hash": event.hash}


def _rollout(rollout: Rollout) -> dict[str, Any]:
    release = rollout.release
    return {
        **{"id": rollout.pk, "product": release.product, "release": release.name, "release_digest": release.digest},
        **{"bundle_sha256": release.sha256, "channel": release.channel, "pool": rollout.pool.name},
        **{"state": rollout.state, "reason": rollout.reason, "strategy": str(rollout.strategy)},
        **{"digest": rollout.digest, "recomputed": digest(rollout.plan)},
        **{"created_by": rollout.created_by.get_username(), "created_at": rollout.created_at},
    }


def _signatures(rollout: Rollout, now: datetime) -> list[dict[str, Any]]:
    both = zip(standing.rows(rollout.release), standing.vouched(rollout.release, now=now), strict=True)
    return [
        {
            **{"name": row.name, "who": seen.who, "identity": seen.identity, "group": seen.group, "bad": seen.bad},
            **{"signed_at": row.signed_at, "verified_at": row.verified_at},
        }
        for row, seen in both
    ]


def _runs(rollout: Rollout) -> list[dict[str, Any]]:
    cells = Prefetch("cells", queryset=MatrixCell.objects.defer("log"))
    runs = MatrixRun.objects.filter(release=rollout.release).order_by("started_at").prefetch_related(cells)
    names = ("part", "state", "place", "upgraded_from", "say", "started_at", "ended_at")
    return [
        {
            **{name: getattr(run, name) for name in names},
            "cells": dict(Counter(cell.verdict for cell in run.cells.all())),
            "red": [
                {"test": it.test, "say": it.say} for it in run.cells.all() if it.verdict != MatrixCell.Verdict.GREEN
            ],
        }
        for run in runs
    ]


def _requests(rollout: Rollout) -> list[dict[str, Any]]:
    """Every question to people about it, oldest first: to start, to roll back, to cut users."""
    rows = Request.objects.filter(subject=f"rollout:{rollout.pk}").select_related("requested_by").order_by("pk")
    return [_request(row) for row in rows.prefetch_related("decisions__by")]


def _request(row: Request) -> dict[str, Any]:
    said = sorted(row.decisions.all(), key=lambda it: it.at)
    decisions = [
        {"by": it.by.get_username(), "yes": it.yes, "reason": it.reason, "digest": it.digest, "at": it.at}
        for it in said
    ]
    about = {"id": row.pk, "kind": row.kind, "state": row.state, "needed": row.needed, "digest": row.digest}
    return {**about, "by": row.requested_by.get_username(), "at": row.requested_at, "decisions": decisions}


def _waves(rollout: Rollout) -> list[dict[str, Any]]:
    verdicts: dict[int, list[Verdict]] = defaultdict(list)
    for row in Verdict.objects.filter(wave__rollout=rollout).order_by("at"):
        verdicts[row.wave_id].append(row)
    return [
        {
            **{"number": wave.number, "state": wave.state, "reason": wave.reason, "since": wave.since},
            "verdicts": [_verdict(row, wave.weights) for row in verdicts[wave.pk]],
        }
        for wave in rollout.waves.order_by("number")
    ]


def _verdict(row: Verdict, weights: list[int]) -> dict[str, Any]:
    share = weights[min(row.stage, len(weights) - 1)] if weights else 100
    names = ("outcome", "sentence", "numbers", "at", "final")
    return {"share": share, **{name: getattr(row, name) for name in names}}


def _gateways(rollout: Rollout) -> list[dict[str, Any]]:
    steps: dict[int, list[StepRun]] = defaultdict(list)
    for step in StepRun.objects.filter(upgrade__wave__rollout=rollout).order_by("ordinal"):
        steps[step.upgrade_id].append(step)
    rows = Upgrade.objects.filter(wave__rollout=rollout).select_related("gateway", "wave").defer("gateway__facts")
    return [_gateway(row, steps[row.pk]) for row in rows]


def _gateway(row: Upgrade, steps: list[StepRun]) -> dict[str, Any]:
    about = {
        "name": row.gateway.name,
        "wave": row.wave.number,
        "state": row.state,
        "reason": row.reason,
        "way": row.way,
    }
    slots = {"from_release": row.from_release, "from_slot": row.from_slot, "to_slot": row.to_slot}
    # As the row has them: names of VPN users stand there as the record knows them.
    cut = [str(session[1]) if isinstance(session, list) and len(session) > 1 else str(session) for session in row.cut]
    kept = {"before": len(row.before), "kept": row.kept, "left": len(row.left), "cut": len(cut), "cut_users": cut}
    return {**about, **slots, **kept, "steps": [_step(step) for step in steps]}


def _step(step: StepRun) -> dict[str, Any]:
    names = ("ordinal", "name", "args", "state", "fence", "attempts", "started_at", "finished_at", "error")
    return {**{name: getattr(step, name) for name in names}, "say": str(step.result.get("say", "")), "by": step.owner}


def as_json(value: Mapping[str, Any]) -> str:
    """The chain as text; times in ISO 8601, UTC."""
    return json.dumps(value, default=_spelled, ensure_ascii=False, indent=1)


def _spelled(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
