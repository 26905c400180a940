"""Running programs: one door, lists only, a deadline on each."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Say = Callable[[str], None]


class LabError(RuntimeError):
    """The lab cannot go on; the message is one sentence for a person."""


def run(
    argv: Sequence[str],
    *,
    stdin: str | bytes = b"",
    seconds: float = 60,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run argv and return its stdout; LabError with the end of its stderr when it fails or takes too long."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(argv, input=data, capture_output=True, timeout=seconds, env=env, check=False)
    except FileNotFoundError as missing:
        raise LabError(f"The program {argv[0]} is not installed.") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{' '.join(argv[:4])} … did not end within {seconds:.0f} s.") from late
    if done.returncode:
        tail = (done.stderr or done.stdout).decode(errors="replace").strip()[-400:]
        raise LabError(f"{' '.join(argv[:6])} … failed ({done.returncode}): {tail}")
    return done.stdout


def text(argv: Sequence[str], *, stdin: str = "", seconds: float = 60) -> str:
    """Like run, as text without surrounding blanks."""
    return run(argv, stdin=stdin, seconds=seconds).decode(errors="replace").strip()


def detached(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
    """Start a program that outlives this process and is nobody's child; its output goes to `log`."""
    with log.open("ab") as out:
        whole = {**os.environ, **(env or {})}
        subprocess.run(
            ["setsid", "--fork", *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=whole, check=True
        )


def tried(act: Callable[[], object], *, times: int, pause: float) -> None:
    """Call act until it does not raise LabError, at most `times` times with `pause` seconds between."""
    for left in range(times - 1, -1, -1):
        try:
            act()
            return
        except LabError:
            if not left:
                raise
            time.sleep(pause)


def wait_until(met: Callable[[], bool], *, seconds: float, what: str, every: float = 0.05) -> None:
    """Poll `met` until it is true; LabError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise LabError(f"{what} did not happen within {seconds:.0f} s.")
        time.sleep(every)
