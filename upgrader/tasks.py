"""Celery's doors. Messages carry ids, rows carry the rest; a lost or doubled message does no harm."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings
from django.utils import timezone

from fleet import errands, gateways, stock
from fleet import services as fleet
from fleet.models import Errand, Gateway
from upgrader import alive, drift, engine, hint, run
from upgrader.models import StepRun


@shared_task(ignore_result=True)
def tick() -> None:
    for step_id in engine.tick(now=timezone.now()):
        hint.send("upgrader.tasks.run_step", step_id)
    for errand_id in errands.due(timezone.now(), busy=engine.busy()):
        hint.send("upgrader.tasks.run_errand", errand_id)


@shared_task(ignore_result=True)
def advance(rollout_id: int) -> None:
    hint.run_steps(engine.advance(rollout_id, now=timezone.now()))


@shared_task(ignore_result=True)
def run_step(step_id: int) -> None:
    hint.run_steps(run.run_step(step_id, opener=gateways.open, clock=timezone.now))
    rollout_id = StepRun.objects.values_list("upgrade__wave__rollout_id", flat=True).get(pk=step_id)
    hint.run_steps(engine.advance(rollout_id, now=timezone.now()))


@shared_task(ignore_result=True)
def run_errand(errand_id: int) -> None:
    errand = errands.run(errand_id, owner=alive.owner(), opener=gateways.open, clock=timezone.now)
    if errand is not None and errand.state == Errand.State.DONE:
        hint.send("upgrader.tasks.take_stock", errand.gateway_id)  # what it changed is seen now, not in five minutes


@shared_task(ignore_result=True)
def look() -> None:
    """Ask every gateway that no upgrade is asking anyway; some of them also for what is on them."""
    busy = engine.busy()
    spoken_to = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO)
    for gateway_id in spoken_to.exclude(pk__in=busy).values_list("pk", flat=True):
        hint.send("upgrader.tasks.look_at", gateway_id)
    for gateway_id in stock.due(timezone.now(), every=settings.INVENTORY_SECONDS, busy=busy):
        hint.send("upgrader.tasks.take_stock", gateway_id)


@shared_task(ignore_result=True)
def look_at(gateway_id: int) -> None:
    fleet.look(Gateway.objects.get(pk=gateway_id), now=timezone.now())


@shared_task(ignore_result=True)
def take_stock(gateway_id: int) -> None:
    drift.look(Gateway.objects.get(pk=gateway_id), opener=gateways.open, now=timezone.now())


@worker_ready.connect
def ready(**_: Any) -> None:
    """What a process of this machine that has ended had claimed is nobody's now: don't wait for its leases."""
    engine.end_leases(now=timezone.now())
