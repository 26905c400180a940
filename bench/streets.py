"""The simulated gateways of `script/bench fleet`: server processes, and the rows that the controller has of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Streets:
    """Server processes that run; `pids` of them, and where each gateway answers: name → (address, port, host key)."""

    pids: list[int] = field(default_factory=list)
    where: dict[str, tuple[str, int, str]] = field(default_factory=dict)


@contextmanager
def open_for(count: int, *, servers: int, release: str, key: str, full: bool = False) -> Iterator[Streets]:
    """`count` gateways in `servers` processes that let `key` in; they end with the context, and with this process.

    `full`: they measure as real ones do, in two slots.
    """
    streets, running = Streets(), []
    names = {address(number): f"sim-{number:04d}" for number in range(count)}
    try:
        for share in range(servers):
            mine = dict(list(names.items())[share::servers])
            running.append(begun({"gateways": mine, "release": release, "authorized": key, "full": full}))
        for process in running:
            assert process.stdout
            said = json.loads(process.stdout.readline())
            streets.pids.append(process.pid)
            streets.where |= {names[at]: (at, said["port"], public) for at, public in said["keys"].items()}
        yield streets
    finally:
        for process in running:
            process.kill()
            process.communicate()


def address(number: int) -> str:
    """One address a gateway out of 127.16.0.0/12."""
    return f"127.{16 + number // 65025}.{number // 255 % 255}.{number % 255 + 1}"


def begun(wanted: Mapping[str, Any]) -> subprocess.Popen[str]:
    # The simulated gateway stands in a package whose other half needs Django's settings.
    argv = [sys.executable, "-c", "import django; django.setup(); from bench.sshd import main; main()"]
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(json.dumps(wanted) + "\n")
    process.stdin.flush()
    return process
