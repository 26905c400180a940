"""The Celery application. Every setting is in settings.py (CELERY_…), measured in docs/architecture.md."""

import os
from collections.abc import Mapping
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun

from approvals import trail

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upgrader.settings")

app = Celery("handover")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def keep_logging(**_: Any) -> None:
    """Whoever listens keeps Celery from setting the root logger's level and handlers: Django has set them."""


def begin(task_id: str, task: Any, **_: Any) -> None:
    """What a task does is about the request that asked for it, or about its own message."""
    headers: Mapping[str, Any] = task.request.headers or {}
    trail.begin(
        traceparent=str(headers.get(trail.TRACEPARENT) or ""),
        request=str(headers.get(trail.HEADER) or task_id),
        task=str(task.name).rpartition(".")[2],
    )


setup_logging.connect(keep_logging)
task_prerun.connect(begin)
