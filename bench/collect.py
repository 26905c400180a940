"""`script/bench collect`: 200 gateways with two slots and all metrics, asked each 5 s, on a week of rows in SQLite.

The controller is script/serve as it is; the gateways are other processes that answer by real SSH. What the collector
takes is what all processes of the controller take with it, less what they take without it in the same minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import streets, usage
from bench.crowd import told
from bench.intake import begin
from lab.demo import simulated
from lab.demo.dashboard import Dashboard, DemoError

EVENTS = 20  # drawn at random between two looks at one gateway
LOOK_EVERY = 0.05
SETTLE = 20.0  # seconds: connections are made, the first looks are over


def measured(state: Path, *, gateways: int, servers: int, seconds: float, port: int) -> dict[str, Any]:
    # Django is set up by now, and not before: its settings read the environment once.
    from django.db import connections  # noqa: PLC0415

    from bench import collect_rows, crowd_rows  # noqa: PLC0415
    from fleet.models import Gateway  # noqa: PLC0415

    key = crowd_rows.ssh_key()
    with streets.open_for(gateways, servers=servers, release=simulated.OLD, key=key, full=True) as fleet:
        crowd_rows.a_pool("measured", fleet)
        first, now = Gateway.objects.earliest("pk"), int(time.time())
        rows = collect_rows.fill(now, since=now - 3600, until=now)
        fresh = collect_rows.page_ms(first, now, 1)
        rows += collect_rows.fill(now, since=now - collect_rows.WEEK, until=now - 3600)
        told(f"{rows:,} readings of a week")
        pages = {f"page_ms_{hours}_h": collect_rows.page_ms(first, now, hours) for hours in (1, 24, 168)}
        begun = int(time.time()) + 3600
        write = collect_rows.write_ms(list(Gateway.objects.values_list("pk", flat=True)))
        collect_rows.forget(begun)
        alone = shared(state, every="0", seconds=seconds, port=port)
        found = shared(state, every="5", seconds=seconds, port=port)
    connections.close_all()  # or SQLite writes into the folder while it is removed
    share = found["share"] - alone["share"]
    return {
        "gateways": gateways,
        "cpu_share": round(share, 3),
        "cpu_share_of_writing": round(write / 5000, 3),
        "cpu_share_without": round(alone["share"], 3),
        "rows_per_s": round(found["rows_per_s"], 1),
        "event_to_page_p95_s": found["event_p95"],
        "sample_to_page_p95_s": found["sample_p95"],
        "page_ms_1_h_first_hour": fresh,
        **pages,
        "rows": rows,
        "database_mb": round(sum(path.stat().st_size for path in state.glob("*.sqlite3*")) / 1e6),
    }


def shared(state: Path, *, every: str, seconds: float, port: int) -> dict[str, float]:
    """The controller's share of a core over some time, and how fresh its numbers are; `every` "0": no collector."""
    from fleet.models import Reading  # noqa: PLC0415 - as above

    dashboard = Dashboard(state, port=port, simulated=False, say=told)
    dashboard.env |= {"HANDOVER_INVENTORY_SECONDS": "86400", "HANDOVER_COLLECT_SECONDS": every}
    dashboard.start()
    try:
        time.sleep(SETTLE)
        ours, began, since = usage.family(dashboard.pid), time.monotonic(), int(time.time())
        before = usage.cpu_seconds(ours)
        fresh = freshness(until=began + seconds) if every != "0" else {"event_p95": 0.0, "sample_p95": 0.0}
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        took = time.monotonic() - began
        share = (usage.cpu_seconds(usage.family(dashboard.pid)) - before) / took
        told(f"every {every} s: {share:.3f} of a core")
        return {"share": share, "rows_per_s": Reading.objects.filter(at__gte=since, span=5).count() / took, **fresh}
    finally:
        dashboard.stop()


def freshness(*, until: float) -> dict[str, float]:
    """When what was asked can be read: seconds from the answer, and from an event at any moment since the last look."""
    from fleet.models import Watch  # noqa: PLC0415 - as above

    last: dict[int, float] = dict(Watch.objects.values_list("pk", "answered_at"))
    dice, events, samples = random.Random(1), [], []
    while time.monotonic() < until:
        for pk, at in Watch.objects.values_list("pk", "answered_at"):
            if at != last.get(pk):
                seen = time.time()
                samples.append(seen - at)
                events += [seen - dice.uniform(last[pk], at) for _ in range(EVENTS) if last.get(pk)]
                last[pk] = at
        time.sleep(LOOK_EVERY)
    if not samples:
        raise DemoError("The collector wrote nothing in this time.")
    return {"event_p95": percentile(events), "sample_p95": percentile(samples)}


def percentile(values: Sequence[float]) -> float:
    return round(sorted(values)[int(0.95 * len(values))], 2) if values else 0.0


def part(argv: Sequence[str]) -> int:
    """`GATEWAYS SERVERS SECONDS PORT`, in a process of its own: settings, and with them the database, are read once."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        begin(Path(name))
        numbers = {"gateways": int(argv[0]), "servers": int(argv[1]), "port": int(argv[3])}
        print(json.dumps(measured(Path(name), seconds=float(argv[2]), **numbers)))
    return 0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench collect", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--gateways", type=int, default=200)
    parser.add_argument("--servers", type=int, default=2, help="processes that play the gateways")
    parser.add_argument("--seconds", type=float, default=60.0, help="that each of the two measurements lasts")
    parser.add_argument("--port", type=int, default=8012)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parser.parse_args(argv)
    words = [sys.executable, "-c", "import sys; from bench.collect import part; sys.exit(part(sys.argv[1:]))"]
    words += map(str, (options.gateways, options.servers, options.seconds, options.port))
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print("The collector could not be measured.", file=sys.stderr)
        return 1
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(found) if options.json else "\n".join(f"{name:28} {value}" for name, value in found.items()))
    return 0
