"""Tell a worker now what the tick would find within a second. A lost hint is only slower."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable

from django.conf import settings
from kombu.exceptions import OperationalError

from approvals import trail
from upgrader.celery import app
from upgrader.models import StepRun

log = logging.getLogger(__name__)
ANY = "celery"  # the queue that every worker process takes from


def home(row_id: int) -> str:
    """The queue of the process that works on this gateway, or decides on this rollout, while all is well."""
    return f"worker-{row_id % settings.WORKERS}"


def is_mine(row_id: int) -> bool:
    """Whether this process would get what is sent home. One that takes from all queues gets everything."""
    return settings.WORKER is None or row_id % settings.WORKERS == settings.WORKER


def run_steps(steps: Iterable[StepRun]) -> None:
    """One message for each process that gets some of them."""
    run_steps_by_id((step.pk, step.upgrade.gateway_id) for step in steps)


def run_steps_by_id(steps: Iterable[tuple[int, int]]) -> None:
    """The same for (step, gateway)."""
    homes: dict[str, list[int]] = defaultdict(list)
    for step_id, gateway_id in steps:
        homes[home(gateway_id)].append(step_id)
    for queue, ids in homes.items():
        send("upgrader.tasks.run_steps", ids, queue)


def send_home(task: str, row_ids: Iterable[int]) -> None:
    """One message for each process; a message costs as much as asking a gateway."""
    homes: dict[str, list[int]] = defaultdict(list)
    for row_id in row_ids:
        homes[home(row_id)].append(row_id)
    for queue, ids in homes.items():
        send(task, ids, queue)


def advance(rollout_id: int) -> None:
    send("upgrader.tasks.advance", rollout_id, home(rollout_id))


def send(task: str, row_id: int | list[int], queue: str = ANY) -> None:
    """By name, so that services need not import the tasks that stand above them."""
    try:
        app.send_task(task, args=[row_id], queue=queue, ignore_result=True, headers=trail.headers())
    except OperationalError as silence:
        log.warning("no broker, the tick will find row %s for %s: %s", row_id, task, silence)
