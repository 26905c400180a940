"""`python -m upgrader.serving`: broker, web, workers and clock in the foreground; Ctrl-C or SIGTERM ends all in 6 s."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import IO

from upgrader import settings
from upgrader.serving import programs
from upgrader.serving.child import die_with
from upgrader.serving.options import chosen, passed_on
from upgrader.serving.programs import Program, SetupError
from upgrader.serving.supervisor import Supervisor, say


def only_one(state: Path) -> IO[str]:
    """Take the lock of this state folder for as long as the file stays open; SetupError names who has it."""
    lock = (state / "serve.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        raise SetupError(
            f"Handover runs already on {state} (pid {lock.read().strip()}): stop that one first."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def migrate() -> None:
    """Bring the database to this version; SetupError with its last line when it can't."""
    here = os.getpid()
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "prepare"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: die_with(here),  # noqa: PLW1509 - no other thread runs here
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SetupError(f"The database could not be migrated: {last}")


def serve(options: argparse.Namespace, supervisor: Supervisor) -> None:
    """Start all in the order in which they need each other, then keep them until a signal."""
    if not programs.port_is_free(options.host, options.port):
        raise SetupError(f"Port {options.port} on {options.host} is taken: choose another with --port.")
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    embedded: list[Program] = [] if "REDIS_URL" in os.environ else [programs.broker(settings.STATE)]
    supervisor.start(embedded)
    migrate()
    answers = partial(programs.answers_http, options.host, options.port)
    supervisor.start([programs.crew(passed_on(options), ready=answers)])
    say(f"Handover answers on http://{options.host}:{options.port}/ (pid {os.getpid()}); Ctrl-C ends it.")
    supervisor.run()


def main() -> int:
    options = chosen()
    leash = sys.stdin.fileno() if options.leash else None
    supervisor = Supervisor(logs=options.logs, leash=leash, longest_pause=options.longest_pause)
    try:
        lock = only_one(settings.STATE)
        supervisor.listen()
        try:
            serve(options, supervisor)
        finally:
            supervisor.stop()
            lock.close()
    except SetupError as reason:
        say(str(reason), logging.ERROR)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
