"""How long the whole dashboard takes to stop while pages are open: streams must not hold it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.crowd import told
from bench.web import ROOT, free_port
from lab.demo.dashboard import Dashboard

SIGNED_IN = (
    "import django; django.setup(); from bench import pages_rows;"
    "print(pages_rows.session_of(pages_rows.reader()))"
)  # fmt: skip
HELD = (
    "import sys, time, django; django.setup(); from bench.pages_live import streaming\n"
    "with streaming(int(sys.argv[1]), sys.argv[2], count=int(sys.argv[3]), topic='inbox'):\n"
    "    print('open', flush=True)\n"
    "    sys.stdin.read()"
)


def measured(streams: int) -> dict[str, Any]:
    """Start the dashboard, open the streams from another process, stop it; seconds until all its processes are gone."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        dashboard = Dashboard(Path(name) / "state", port=free_port(), simulated=True, say=told)
        dashboard.env["DJANGO_SETTINGS_MODULE"] = "upgrader.settings"
        dashboard.prepare()
        dashboard.start()
        try:
            python = (sys.executable, "-c")
            signed = subprocess.run(
                [*python, SIGNED_IN], env=dashboard.env, cwd=ROOT, capture_output=True, text=True, check=True
            )
            argv = [*python, HELD, str(dashboard.port), signed.stdout.strip(), str(streams)]
            with subprocess.Popen(
                argv, env=dashboard.env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as held:
                assert held.stdout
                if held.stdout.readline().strip() != "open":
                    raise RuntimeError("The streams could not be opened.")
                began = time.monotonic()
                dashboard.stop()
                took = time.monotonic() - began
                held.kill()
        finally:
            dashboard.stop()
    return {"stop_with_streams_s": round(took, 2)}
