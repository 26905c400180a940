"""`python -m upgrader.serving.crew`: web, workers and clock, forked from one process that has loaded the product.

What is loaded they share: the three take 150 MB so, and 220 MB as programs of their own. One that is killed is back as
soon as it has forked. This process opens no database and no broker, and has no thread.
"""

from __future__ import annotations

import gc
import logging
import sys
from functools import partial
from importlib import import_module

import uvicorn
from django.conf import settings
from django.urls import get_resolver

from upgrader import logs
from upgrader.celery import app
from upgrader.serving import beat, options, programs
from upgrader.serving.child import be_called
from upgrader.serving.programs import Program, SetupError
from upgrader.serving.supervisor import Supervisor, say

log = logging.getLogger(__name__)
THREADS = 6
ANY = "celery"  # the queue that every worker takes from
LOADED = (
    *("celery.bin.worker", "celery.apps.worker", "celery.concurrency.thread", "celery.worker.consumer"),
    *("kombu.transport.redis", "uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto"),
)
"""What the three load only when they start."""


def load() -> None:
    """Load what all have in common, and keep the collector off it: what it touches is no longer shared."""
    logs.speak_for_all()
    app.loader.import_default_modules()
    for name in (*LOADED, "upgrader.asgi", str(settings.ROOT_URLCONF)):
        import_module(name)
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()


def web(host: str, port: int) -> None:
    """uvicorn. Streams are cut after 2 s, or open pages would hold the stop for ever."""
    uvicorn.run(
        "upgrader.asgi:application",
        host=host,
        port=port,
        timeout_graceful_shutdown=2,
        server_header=False,
        proxy_headers=False,  # HANDOVER_PROXIES says whose word counts (approvals/where.py), not what 127.0.0.1 sends
        log_config=None,  # Django has said how
    )


def worker(number: int) -> None:
    """A Celery worker: one Python process uses one core, so there may be several, each with gateways of its own.

    Celery's threads only take messages; upgrader/desk.py has those that wait for gateways. It talks to no other worker,
    so no gossip.
    """
    settings.WORKER = number
    # What Celery says about its end goes past every logger, to the terminal as it was at its start.
    setattr(import_module("celery.apps.worker"), "safe_say", lambda said, *_: log.info("%s", said))  # noqa: B010
    words = ["-q", "worker", "--pool", "threads", "--queues", f"{ANY},worker-{number}", "--concurrency", str(THREADS)]
    app.worker_main([*words, "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"])


def crew(host: str, port: int) -> list[Program]:
    """Who is in it. Whoever comes after the web server does not wait for it."""
    workers = [Program(f"worker-{number}", run=partial(worker, number)) for number in range(settings.WORKERS)]
    answers = partial(programs.answers_http, host, port)
    # The clock says *tick*; a second one does no harm.
    return [
        Program("web", run=partial(web, host, port), ready=answers),
        *workers,
        Program("clock", run=beat.main, grace=2.0),
    ]


def main() -> int:
    chosen = options.chosen()
    be_called("crew")
    load()
    supervisor = Supervisor(logs=chosen.logs, longest_pause=chosen.longest_pause)
    supervisor.listen()
    try:
        supervisor.start(crew(chosen.host, chosen.port))
        supervisor.run()
    except SetupError as reason:
        say(str(reason), logging.ERROR)
        return 1
    finally:
        supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
