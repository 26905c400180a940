"""PostgreSQL and Redis that are killed with -9 and started again on what they left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import servers
from upgrader.serving.child import die_with
from upgrader.serving.programs import answers_ping

WITHIN = 30.0  # seconds for a server to answer again
# What is committed must outlive the process, though not the machine: servers.FAST would lose the last transactions.
KEPT = ("fsync=off", "full_page_writes=off", "listen_addresses=", "log_min_messages=warning")


class Revived:
    """One server. `user`: who it runs as; None: as we do."""

    def __init__(self, argv: Sequence[str], log: Path, *, ready: Callable[[], bool], user: str | None = None) -> None:
        self.argv, self.log, self.ready, self.user = list(argv), log, ready, user
        self.process = self._started()

    def kill(self) -> None:
        """kill -9, and at once a new one."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = self._started()

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        here, deadline = os.getpid(), time.monotonic() + WITHIN
        while True:
            process = self._process(here)
            while process.poll() is None and time.monotonic() < deadline:
                if self.ready():
                    return process
                time.sleep(0.05)
            # PostgreSQL's children end a moment after their killed parent; until then there is no new one.
            process.kill()
            process.wait()
            if time.monotonic() > deadline:
                raise servers.ServerError(f"{self.argv[0]} did not come back: {self.log.read_text()[-500:]}")
            time.sleep(0.2)

    def _process(self, here: int) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as out:
            return subprocess.Popen(
                self.argv,
                user=self.user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: die_with(here, signal.SIGINT),
            )


@contextmanager
def both(folder: Path) -> Iterator[tuple[dict[str, str], dict[str, Revived]]]:
    """The environment that leads to the two, and the two by name."""
    with servers.postgres(folder / "pg") as address:
        pass  # the cluster is made, its server has ended
    user = servers.unprivileged()
    data = ["-D", str(folder / "pg/data"), "-k", str(folder / "pg")]
    options = [word for setting in KEPT for word in ("-c", setting)]
    link = f"host={folder}/pg user=handover dbname=handover"
    postgres = [servers.program("postgres"), *data, *options]
    redis = [servers.program("redis-server"), "--port", "0", "--unixsocket", str(folder / "redis.sock")]
    redis += ["--dir", str(folder), "--appendonly", "yes", "--save", ""]
    found: dict[str, Revived] = {}
    try:
        found["database"] = Revived(postgres, folder / "pg.log", ready=lambda: servers.accepts(link), user=user)
        found["broker"] = Revived(redis, folder / "redis.log", ready=lambda: answers_ping(folder / "redis.sock"))
        yield {"DATABASE_URL": address, "REDIS_URL": f"unix://{folder}/redis.sock"}, found
    finally:
        for server in found.values():
            server.end()
