"""Appends to the record, one transaction each, as a worker makes them. Imported when Django is set up."""

from __future__ import annotations

import time

from django.db import transaction
from django.utils import timezone

from approvals import audit, checkpoints, proof
from approvals.models import Actor

ENGINE = Actor.machine("engine")


def appends(count: int) -> list[float]:
    """Seconds of each."""
    took = []
    for number in range(count):
        about = {"rollout": 12, "gateway": "fra-gw-01", "step": "start", "fence": number, "attempts": 1}
        began = time.perf_counter()
        with transaction.atomic():
            audit.append(
                "step.done",
                subject=f"upgrade:{number}",
                actor=ENGINE,
                at=timezone.now(),
                reason="Slot 2 of fra-gw-01 is started; 12 clients were counted.",
                details=about,
            )
        took.append(time.perf_counter() - began)
    return took


def checked() -> None:
    """What was written and signed meanwhile is whole."""
    while checkpoints.make(now=timezone.now()):
        pass
    seen = proof.whole()
    if seen.finding or seen.witness.good is None:
        raise RuntimeError(seen.sentence())
