"""`script/bench audit`: a record of 1,000,000 events is verified beside its signed copy, everything that can be done to
one is tried, and an append is timed with the tree over it and without, on SQLite and on PostgreSQL.

The verifier is the auditor's: a process of its own, with the export, the copy and the public key. The tree costs an
append nothing by itself; what could slow it down is the clock that signs beside it, so that runs each second meanwhile.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import forged
from bench.intake import ROOT, begin
from lab import servers

EVENTS, SMALL = 1_000_000, 20_000
ROUNDS, APPENDS = 6, 500  # with the tree and without in turns, so that neither has the better minutes
WHOLE = re.compile(r"The record is whole: (\d+) events.* the last is of (\d+) events")


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def written(folder: Path, count: int) -> tuple[Path, Path]:
    """An export of so many events, and the copy of its checkpoints."""
    export, copy = folder / "export.jsonl", folder / "copy.jsonl"
    signing = forged.Signing()
    with (folder / "events").open("w", encoding="utf-8") as out:
        for made in forged.rows(count):
            signing.take(made)
            out.write(json.dumps(made, ensure_ascii=False) + "\n")
    copy.write_text("\n".join(signing.lines) + "\n")
    with export.open("wb") as whole:
        for note in signing.notes:
            whole.write(json.dumps({"checkpoint": note}).encode() + b"\n")
        with (folder / "events").open("rb") as events:
            while chunk := events.read(1 << 20):
                whole.write(chunk)
    (folder / "events").unlink()
    return export, copy


def verified(export: Path, copy: Path) -> tuple[float, int, str]:
    """Seconds that the verifier took, its exit code and its sentence."""
    command = [sys.executable, "-m", "approvals.verify", str(export), "--checkpoint", str(copy)]
    began = time.monotonic()
    ran = subprocess.run(
        [*command, "--key", str(forged.SIGNER.key)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return time.monotonic() - began, ran.returncode, ran.stdout.strip() or ran.stderr.strip()


def tamperings(folder: Path) -> list[str]:
    """Names of those that were found, each as what it is and at its event."""
    found = []
    for tampering in forged.TAMPERINGS:
        case = tampering(forged.honest(SMALL))
        export, copy = folder / "tampered", folder / "its copy"
        export.write_text("\n".join(case.export()) + "\n", encoding="utf-8")
        copy.write_text("\n".join(case.lines) + "\n")
        _, code, say = verified(export, copy)
        good = code == 1 and forged.says(case, say)
        told(f"{'found' if good else 'NOT FOUND'}: {tampering.__name__}: {say}")
        found += [tampering.__name__] if good else []
    return found


@contextmanager
def signing() -> Iterator[None]:
    """The clock that signs, as a worker has it."""
    from django.db import connection  # noqa: PLC0415 - Django is set up by now, and not before
    from django.utils import timezone  # noqa: PLC0415 - as above

    from approvals import checkpoints  # noqa: PLC0415 - as above

    ended = threading.Event()

    def clock() -> None:
        while not ended.wait(1):
            checkpoints.make(now=timezone.now())
        connection.close()

    thread = threading.Thread(target=clock)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def appended(where: str) -> dict[str, float]:
    """Median microseconds of an append with its commit, on one database in this process."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        begin(Path(name), {"DATABASE_URL": where} if where else None)
        from bench import audit_rows  # noqa: PLC0415 - as above

        took: dict[str, list[float]] = {"with": [], "without": []}
        for _ in range(ROUNDS):
            took["without"] += audit_rows.appends(APPENDS)
            with signing():
                took["with"] += audit_rows.appends(APPENDS)
        audit_rows.checked()
        return {key: round(statistics.median(values) * 1e6, 1) for key, values in took.items()}


def alone(where: str) -> dict[str, float]:
    """The same in a process of its own: settings read the environment once."""
    script = "import json, sys; from bench.audit import appended; print(json.dumps(appended(sys.argv[1])))"
    ran = subprocess.run([sys.executable, "-c", script, where], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def measured(count: int) -> dict[str, Any]:
    forged.checked()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        told(f"{count} events")
        seconds, code, say = verified(*written(folder, count))
        told(f"{seconds:.1f} s: {say}")
        if code or not (whole := WHOLE.match(say)) or whole.groups() != (str(count), str(count)):
            raise RuntimeError(f"The verifier does not find an honest record whole: {say}")
        found = tamperings(folder)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else
        with servers.postgres(folder / "pg") as where:
            on_postgres = alone(where)
        on_sqlite = alone("")
    return {
        "events": count,
        "verify_1m_s": round(seconds * EVENTS / count, 2),
        "append_us": on_sqlite["with"],
        "append_without_us": on_sqlite["without"],
        "append_postgresql_us": on_postgres["with"],
        "append_postgresql_without_us": on_postgres["without"],
        "tamperings_tried": len(forged.TAMPERINGS),
        "tamperings_found": len(found),
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench audit", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--events", type=int, default=EVENTS, help="whole hundreds (%(default)s)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parser.parse_args(argv)
    found = measured(options.events // forged.EVERY * forged.EVERY)
    print(json.dumps(found) if options.json else "\n".join(f"{name:32} {value}" for name, value in found.items()))
    return 0 if found["tamperings_found"] == found["tamperings_tried"] else 1
