"""`script/bench intake`: a bundle of 1 GB comes in by upload, then 200 gateways download another at once.

One web process with a state folder of its own does both. What the upload takes is held against two things measured in
the same minute: `sha256sum` of the bundle, and the same upload to the same server with nothing behind it.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import django
import pysequoia

GATEWAYS = 200
BUNDLE, SHARED = 1_000_000_000, 10_000_000  # bytes of the bundle that comes in, and of the one that all fetch
ROOT = Path(__file__).resolve().parent.parent


def begin(state: Path, servers: Mapping[str, str] | None = None) -> None:
    """Set Django up on an empty state folder; nothing of this machine's own dashboard is read.

    `servers`: the environment that leads to a database and a broker other than the embedded ones.
    """
    for name in [name for name in os.environ if name.startswith("HANDOVER_") or name in ("DATABASE_URL", "REDIS_URL")]:
        del os.environ[name]
    os.environ |= {
        "HANDOVER_STATE": str(state),
        "HANDOVER_LOG": "WARNING",
        "DJANGO_SETTINGS_MODULE": "upgrader.settings",
        **(servers or {}),
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    django.setup()


def measured(state: Path, *, size: int, gateways: int) -> dict[str, Any]:
    # Django is set up by now, and not before: its settings read the environment once.
    from bench import rows, web  # noqa: PLC0415

    key = pysequoia.Tsk.generate("bench <bench@example.org>")
    big, small = rows.releases(state, key, big=size, small=SHARED)
    session, csrf = rows.signed_in(), secrets.token_hex(16)
    headers = {"Cookie": f"session={session}; csrf={csrf}", "X-CSRFToken": csrf}
    files = sorted(big.iterdir())
    with web.sink() as port:
        _, _, sending = web.upload(port, "/", files, {})
    began = time.monotonic()
    subprocess.run(["sha256sum", str(big / "bundle.tar.zst")], check=True, stdout=subprocess.DEVNULL)
    hashing = time.monotonic() - began
    with web.site() as (pid, port):
        status, body, taken = web.upload(port, "/api/releases/", files, headers)
        if status != 201:
            raise RuntimeError(f"The upload was answered with {status}: {body[:300]!r}")
        after_upload = web.peak_mb(pid)
        sha256, tickets = rows.tickets(small, gateways)
        fetched = web.fetch_all(port, sha256, tickets)
        peak = web.peak_mb(pid)
    good = sorted(seconds for seconds in fetched if seconds is not None)
    return {
        "peak_mb": peak,
        "peak_after_upload_mb": after_upload,
        "upload_and_checks_s": round(taken, 2),
        "upload_alone_s": round(sending, 2),
        "sha256sum_s": round(hashing, 2),
        "times_sha256sum": round((taken - sending) / hashing, 2),
        "downloads": len(fetched),
        "downloads_failed": len(fetched) - len(good),
        "fastest_s": round(good[0], 2) if good else None,
        "slowest_s": round(good[-1], 2) if good else None,
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench intake", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--gateways", type=int, default=GATEWAYS)
    parser.add_argument("--bytes", type=int, default=BUNDLE, help="of the bundle that comes in")
    asked = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        state = Path(name)
        begin(state)
        found = measured(state, size=asked.bytes, gateways=asked.gateways)
    if asked.json:
        print(json.dumps(found))
    else:
        for what, value in found.items():
            print(f"{what:24} {value}")
    return 0
