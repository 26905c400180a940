"""Run another program: an argument list, a deadline, a cap on what it may say. Never a shell."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Optional, Sequence

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"}
OUTPUT_CAP = 8 * 1024 * 1024


@dataclass(frozen=True)
class Done:
    """What a program left: return code, standard output and error. `code` is -1 when it timed out or is missing."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        lines = [line for line in (self.err + "\n" + self.out).splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit code {self.code}"


def run(argv: Sequence[str], *, timeout: float, stdin: Optional[str] = None) -> Done:
    """Run `argv` and wait at most `timeout` seconds; it is killed after that."""
    try:
        done = subprocess.run(
            list(argv),
            input=None if stdin is None else stdin.encode(),
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            env=ENV,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Done(-1, "", f"{argv[0]} did not end within {timeout:g} s")
    except OSError as failure:
        return Done(-1, "", f"{argv[0]}: {failure.strerror}")
    text, err = (raw[:OUTPUT_CAP].decode("utf-8", "replace") for raw in (done.stdout, done.stderr))
    return Done(done.returncode, text, err)
