"""Celery's doors. Messages carry ids, rows carry the rest; a lost or doubled message does no harm.

A door that would wait for a gateway puts its work on the desk: while it waited, no message would be taken.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.utils import timezone

from approvals import checkpoints, copies, names, record_index
from fleet import balancers, errands, gateways, stock
from fleet import services as fleet
from fleet.alarms import notices, outbox, watch
from fleet.metrics import collect as collector
from fleet.metrics import rollup
from fleet.models import Balancer, Errand, Gateway, ProbeHost, PrometheusSource
from fleet.probes import rollup as probe_rollup
from fleet.probes import rounds
from fleet.prometheus import poll
from fleet.quiet import watch as quiet
from fleet.tickets import join as tickets
from upgrader import alarm_groups, alive, drift, engine, hint, live, pulse, record
from upgrader.desk import DESK
from upgrader.models import StepRun
from upgrader.news import News
from upgrader.webhooks import outbox as webhooks

GATHER_SECONDS = 0.2  # in which answers are gathered, to be written together
PURGED_IN = 30  # minutes, each gateway once
LOOKS_MOST = 100  # in one round: thousands of gateways take several, and the rollouts keep the machine
NEWS = News()


@shared_task(ignore_result=True)
def tick() -> None:
    due = StepRun.objects.filter(pk__in=engine.tick(now=timezone.now(), news=NEWS))
    hint.run_steps_by_id(due.values_list("pk", "upgrade__gateway_id"))
    for errand_id in errands.due(timezone.now(), busy=engine.busy()):
        hint.send("upgrader.tasks.run_errand", errand_id)
    pulse.beat(settings.REDIS_URL, "worker")


@shared_task(ignore_result=True)
def advance(rollout_id: int) -> None:
    DESK.advance(rollout_id)


@shared_task(ignore_result=True)
def run_steps(step_ids: list[int]) -> None:
    DESK.take(step_ids)


@shared_task(ignore_result=True)
def run_step(step_id: int) -> None:
    DESK.take([step_id])


@shared_task(ignore_result=True)
def run_errand(errand_id: int) -> None:
    DESK.beside(("errand", errand_id), partial(do_errand, errand_id))


def do_errand(errand_id: int) -> None:
    errand = errands.run(errand_id, owner=alive.owner(), opener=gateways.open, clock=timezone.now)
    if errand is not None and errand.state == Errand.State.DONE:
        # What it changed is seen now, not in five minutes.
        hint.send("upgrader.tasks.take_stock", errand.gateway_id, hint.home(errand.gateway_id))


@shared_task(ignore_result=True)
def look() -> None:
    """Ask the gateways that no upgrade is asking anyway, those first that were not asked for longest; some of them
    also for what is on them."""
    busy = engine.busy()
    spoken_to = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO).exclude(pk__in=busy)
    hint.send_home("upgrader.tasks.look_at", spoken_to.order_by("facts_at").values_list("pk", flat=True)[:LOOKS_MOST])
    due = stock.due(timezone.now(), every=settings.INVENTORY_SECONDS, busy=busy)
    hint.send_home("upgrader.tasks.take_stock", due)


@shared_task(ignore_result=True)
def look_at_balancers() -> None:
    """Ask every balancer how its gateways stand there, so that a disagreement is seen between rollouts, too."""
    for balancer_id in Balancer.objects.values_list("pk", flat=True):
        DESK.beside(("balancer", balancer_id), partial(do_look_at_balancer, balancer_id))


def do_look_at_balancer(balancer_id: int) -> None:
    balancers.look(Balancer.objects.get(pk=balancer_id), now=timezone.now())


@shared_task(ignore_result=True)
def look_at(gateway_ids: int | list[int]) -> None:
    for gateway_id in [gateway_ids] if isinstance(gateway_ids, int) else gateway_ids:
        DESK.beside(("look", gateway_id), partial(do_look, gateway_id))


def do_look(gateway_id: int) -> None:
    fleet.look(Gateway.objects.get(pk=gateway_id), now=timezone.now())


@shared_task(ignore_result=True)
def take_stock(gateway_ids: int | list[int]) -> None:
    for gateway_id in [gateway_ids] if isinstance(gateway_ids, int) else gateway_ids:
        DESK.beside(("stock", gateway_id), partial(do_stock, gateway_id))


def do_stock(gateway_id: int) -> None:
    drift.look(Gateway.objects.get(pk=gateway_id), opener=gateways.open, now=timezone.now())


@shared_task(ignore_result=True)
def collect() -> None:
    """Measure the gateways that the collector watches, those under an upgrade first."""
    wish = collector.Settings.read()
    hint.send_home("upgrader.tasks.collect_from", collector.due(time.time(), wish=wish, first=engine.busy()))


@shared_task(ignore_result=True)
def collect_from(gateway_ids: list[int]) -> None:
    for gateway in collector.rows(gateway_ids):
        DESK.collect(("collect", gateway.pk), partial(do_collect, gateway))


def do_collect(gateway: Gateway) -> None:
    collector.COLLECTOR.look(gateway, opener=gateways.open)
    DESK.collect(("write", 0), do_write, again=True)


def do_write() -> None:
    time.sleep(GATHER_SECONDS)
    if collector.COLLECTOR.flush():
        live.publish("readings")


@shared_task(ignore_result=True)
def probe() -> None:
    """Sign in from the probe hosts at the gateways that are due."""
    hint.send_home("upgrader.tasks.probe_from", rounds.due_hosts(time.time()))


@shared_task(ignore_result=True)
def probe_from(host_ids: list[int]) -> None:
    for host_id in host_ids:
        DESK.probe(("probe", host_id), partial(do_probe, host_id))


def do_probe(host_id: int) -> None:
    host = ProbeHost.objects.filter(pk=host_id).first()
    if host is not None:
        rounds.probe(host)


@shared_task(ignore_result=True)
def ask_prometheus() -> None:
    """Ask the Prometheus of each pool what it knows of its gateways."""
    for source_id in poll.due():
        DESK.probe(("prometheus", source_id), partial(do_ask_prometheus, source_id))


def do_ask_prometheus(source_id: int) -> None:
    source = PrometheusSource.objects.filter(pk=source_id).first()
    if source is not None:
        poll.poll(source)


@shared_task(ignore_result=True)
def roll_up() -> None:
    DESK.collect(("roll up", 0), do_roll_up)


def do_roll_up() -> None:
    """Make the coarser readings that are due, and remove old ones of a share of the gateways."""
    now = time.time()
    rollup.roll_up(now)
    probe_rollup.roll_up(now)
    probe_rollup.purge(now)
    poll.purge(now)
    names.forget_old(timezone.now())
    record_index.catch_up(most=20_000)
    webhooks.forget(timezone.now())
    rollup.purge(now, [pk for pk in collector.everybody() if pk % PURGED_IN == int(now / 60) % PURGED_IN])


@shared_task(ignore_result=True)
def judge() -> None:
    DESK.beside(("judge", 0), do_judge)


def do_judge() -> None:
    """Hold every alert rule against what was measured."""
    if watch.look(alarm_groups.groups(), now=time.time()):
        live.publish("inbox")


@shared_task(ignore_result=True)
def tell() -> None:
    DESK.beside(("tell", 0), do_tell)


def do_tell() -> None:
    """Find who is to be told of an alert, and send what is due."""
    now = timezone.now()
    if notices.sweep(now) + outbox.dead(now):
        live.publish("inbox")
    for delivery_id in outbox.due(now):
        DESK.post(("delivery", delivery_id), partial(do_deliver, delivery_id))
    webhooks.sweep(now)
    for delivery_id in webhooks.due(now):
        DESK.post(("webhook", delivery_id), partial(do_post, delivery_id))


def do_deliver(delivery_id: int) -> None:
    outbox.run(delivery_id, clock=timezone.now)


def do_post(delivery_id: int) -> None:
    webhooks.run(delivery_id, clock=timezone.now)


@shared_task(ignore_result=True)
def look_for_loss() -> None:
    DESK.collect(("quiet", 0), do_look_for_loss)


def do_look_for_loss() -> None:
    """Judge the releases that are due: what got worse over hours and days calls a person at the next tick."""
    if quiet.look(time.time()):
        live.publish("gateways")


@shared_task(ignore_result=True)
def join_tickets() -> None:
    """Look for the gateways that fresh complaints are about."""
    for ticket_id in tickets.due(timezone.now()):
        DESK.beside(("ticket", ticket_id), partial(do_join_ticket, ticket_id))


def do_join_ticket(ticket_id: int) -> None:
    if tickets.join(ticket_id, opener=gateways.open, now=timezone.now()):
        live.publish("gateways")


@shared_task(ignore_result=True)
def sign_record() -> None:
    """Sign what was recorded, and let it leave the machine."""
    DESK.collect(("record", 0), do_sign_record)
    if copies.places():
        # Always the same process: a file that another machine does not see would be written there from its beginning.
        hint.send_home("upgrader.tasks.copy_record", [0])


def do_sign_record() -> None:
    checkpoints.make(now=timezone.now())
    record.note(now=timezone.now())


@shared_task(ignore_result=True)
def copy_record(row_ids: list[int]) -> None:
    for number, place in enumerate(copies.places()):
        DESK.post(("copy", number), partial(do_copy_record, place))


def do_copy_record(place: str) -> None:
    copies.send(place, now=timezone.now())


@worker_ready.connect
def ready(**_: Any) -> None:
    """What a process of this machine that has ended had claimed is nobody's now: don't wait for its leases."""
    engine.end_leases(now=timezone.now())


@worker_shutdown.connect
def stopping(**_: Any) -> None:
    DESK.stop()
