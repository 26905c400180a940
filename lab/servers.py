"""A private PostgreSQL and a private Redis on unix sockets, for tests and benches. They end with whoever started them.

`python -m lab.servers COMMAND…` runs a command with DATABASE_URL and REDIS_URL set to them.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from upgrader.serving.child import die_with
from upgrader.serving.programs import answers_ping

READY_WITHIN, ENDS_WITHIN = 30.0, 10.0  # seconds
# Nothing of a test must survive a power cut.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "log_min_messages=warning")


class ServerError(RuntimeError):
    """A server that did not start; the message says what it said."""


@contextmanager
def both() -> Iterator[dict[str, str]]:
    """Run both; the environment that leads to them. All is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="handover-servers-"))
    folder.chmod(0o755)  # PostgreSQL runs as somebody else
    try:
        with postgres(folder / "pg") as database, redis(folder / "redis") as broker:
            yield {"DATABASE_URL": database, "REDIS_URL": broker}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A fresh cluster with an empty database; its address. It refuses to run as root, so it runs as its own user."""
    folder.mkdir()
    user = unprivileged()
    if user:
        shutil.chown(folder, user)
    made = subprocess.run(
        [program("initdb"), "-D", str(folder / "data"), "-U", "handover", "-A", "trust", "-E", "UTF8"]
        + ["--locale=C.UTF-8", "--no-sync"],
        user=user,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN,
    )
    if made.returncode:
        raise ServerError(f"initdb failed: {made.stderr.strip()[-500:]}")
    argv = [program("postgres"), "-D", str(folder / "data"), "-k", str(folder)]
    argv += [word for setting in FAST for word in ("-c", setting)]
    address = f"host={folder} user=handover dbname=postgres"
    # SIGINT ends sessions at once and leaves no shared memory behind.
    with server(argv, folder / "log", user=user, stop=signal.SIGINT, ready=lambda: accepts(address)):
        with psycopg.connect(address, autocommit=True) as link:
            link.execute("CREATE DATABASE handover")
        yield f"postgres://handover@/handover?host={folder}"


def another(address: str) -> str:
    """Make one more empty database on the PostgreSQL at `address`; its address."""
    name = f"more_{secrets.token_hex(4)}"
    with psycopg.connect(address, autocommit=True) as link:
        link.execute(f"CREATE DATABASE {name}".encode())
    return urlsplit(address)._replace(path=f"/{name}").geturl()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """An empty Redis; its address."""
    folder.mkdir()
    path = folder / "redis.sock"
    argv = [program("redis-server"), "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""]
    with server(argv, folder / "log", stop=signal.SIGTERM, ready=lambda: answers_ping(path)):
        yield f"unix://{path}"


@contextmanager
def server(
    argv: Sequence[str], log: Path, *, ready: Callable[[], bool], stop: signal.Signals, user: str | None = None
) -> Iterator[None]:
    """Run one server while it is wanted; ServerError with its last words when it does not come up."""
    here = os.getpid()
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv,
            user=user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=lambda: die_with(here, stop),
        )
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{Path(argv[0]).name} did not start: {log.read_text().strip()[-500:]}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def accepts(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


def unprivileged() -> str | None:
    """The user to run PostgreSQL as; None when we are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def program(name: str) -> str:
    """Where it is: Debian keeps PostgreSQL's programs by version, off the search path."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(kept[-1]) if kept else shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise ServerError(f"{name} is not installed: apt-get install postgresql redis-server")
    return found


def main() -> int:
    with both() as env:
        return subprocess.run(sys.argv[1:], env={**os.environ, **env}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
