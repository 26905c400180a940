"""`script/bench fleet`: rollouts over thousands of simulated gateways that answer by real SSH, 5 % at a time.

The controller is script/serve as it is, on its own database and broker; the gateways are other processes, and what they
take is told apart. Queries are counted and ticks timed in this process, on the same code and the same database.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import streets, usage
from bench.intake import begin
from lab.demo import simulated
from lab.demo.dashboard import Dashboard, DemoError

SIZES = "200,1000,5000"
WITHIN = 300.0  # seconds for one rollout
LOOK_EVERY = 0.25


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def one_size(count: int, *, servers: int, port: int, workers: int) -> dict[str, Any]:
    """One rollout over `count` gateways on a fresh state folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        state = Path(name)
        begin(state)
        from bench import crowd_rows  # noqa: PLC0415 - Django is set up by now, and not before

        key = crowd_rows.ssh_key()
        release = crowd_rows.a_release(state / "goods", simulated.NEW[0])
        with streets.open_for(count, servers=servers, release=simulated.OLD, key=key) as fleet:
            pool = crowd_rows.a_pool("crowd", fleet)
            rollout = crowd_rows.a_rollout(pool, release)
            dashboard = Dashboard(state, port=port, simulated=False, say=told)
            # Looking for drift and measuring are other works than upgrading, with rhythms of their own (bench collect).
            dashboard.env |= {"HANDOVER_INVENTORY_SECONDS": "86400", "HANDOVER_STATE": str(state)}
            dashboard.env["HANDOVER_COLLECT_SECONDS"] = "0"
            dashboard.env["HANDOVER_WORKERS"] = str(workers)
            dashboard.start()
            try:
                return carried(rollout, dashboard, fleet, count=count)
            finally:
                dashboard.stop()


def carried(rollout: Any, dashboard: Dashboard, fleet: streets.Streets, *, count: int) -> dict[str, Any]:
    from bench import crowd_rows  # noqa: PLC0415 - as above

    ours = usage.family(dashboard.pid)
    before, theirs, began = usage.by_program(dashboard.pid), usage.cpu_seconds(fleet.pids), time.monotonic()
    crowd_rows.approve(rollout)
    peak = weigh_at = 0.0
    while rollout.state != "done":
        if rollout.state not in ("planned", "waiting_approval", "upgrading", "draining"):
            raise DemoError(f"The rollout is {rollout.state}: {rollout.reason}")
        if time.monotonic() - began > WITHIN + count / 5:
            raise DemoError(f"The rollout is still {rollout.state} after {time.monotonic() - began:.0f} s.")
        time.sleep(LOOK_EVERY)
        rollout.refresh_from_db(fields=["state", "reason"])
        # To add up what processes share takes the kernel some milliseconds, and a big fleet runs for minutes.
        if time.monotonic() >= weigh_at:
            peak, weigh_at = max(peak, usage.memory_mb(ours)), time.monotonic() + LOOK_EVERY * max(1, count / 50)
    took = time.monotonic() - began
    cpu = usage.since(before, usage.by_program(dashboard.pid), share=count)
    servers = usage.cpu_seconds(fleet.pids) - theirs
    cores = os.cpu_count() or 1
    return {
        "gateways": count,
        "seconds": round(took, 1),
        "gateways_per_s": round(count / took, 1),
        # The servers stand in for machines of their own: without what they took of these cores.
        "gateways_per_s_apart": round(count / (took - servers / cores), 1),
        "cpu_ms_per_gateway": round(sum(cpu.values()), 1),
        "cpu_ms_by_program": cpu,
        "servers_cpu_ms_per_gateway": round(1000 * servers / count, 1),
        "controller_mb": round(peak, 1),
    }


def alone(words: Sequence[str]) -> dict[str, Any]:
    """Measure one thing in a process of its own: Django's settings, and with them the database, are read once."""
    argv = [sys.executable, "-c", "import sys; from bench.crowd import part; sys.exit(part(sys.argv[1:]))", *words]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise DemoError(f"{' '.join(words)} could not be measured.")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def part(argv: Sequence[str]) -> int:
    """`rollout COUNT SERVERS PORT WORKERS`, or `counts`: what `alone` runs."""
    if argv[0] == "rollout":
        found = one_size(int(argv[1]), servers=int(argv[2]), port=int(argv[3]), workers=int(argv[4]))
    else:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            begin(Path(name))
            from bench import counts  # noqa: PLC0415 - Django is set up by now

            found = counts.measured(Path(name), rollouts=int(argv[1]), gateways=int(argv[2]))
    print(json.dumps(found))
    return 0


def bench(options: argparse.Namespace) -> dict[str, Any]:
    sizes = [int(word) for word in options.sizes.split(",")]
    found: dict[str, Any] = {}
    rows = []
    for count in sizes:
        print(f"{count} gateways", file=sys.stderr, flush=True)
        rows.append(alone(["rollout", *map(str, (count, options.servers, options.port, options.workers))]))
        print(f"  {rows[-1]}", file=sys.stderr, flush=True)
        found[f"cpu_ms_per_gateway_{count}"] = rows[-1]["cpu_ms_per_gateway"]
    big = rows[-1]
    found |= {name: big[name] for name in ("gateways_per_s", "gateways_per_s_apart", "servers_cpu_ms_per_gateway")}
    found["controller_mb"] = rows[0]["controller_mb"]
    found["growth"] = round(big["cpu_ms_per_gateway"] / rows[0]["cpu_ms_per_gateway"], 2)
    return found | alone(["counts", str(options.rollouts), "50"]) | {"sizes": rows}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench fleet", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--sizes", default=SIZES, help="gateways of each run, with commas (%(default)s)")
    parser.add_argument("--servers", type=int, default=2, help="processes that play the gateways")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of the controller")
    parser.add_argument("--rollouts", type=int, default=100, help="of the timed tick")
    parser.add_argument("--port", type=int, default=8011)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parser.parse_args(argv)
    try:
        found = bench(options)
    except DemoError as reason:
        print(reason, file=sys.stderr)
        return 1
    print(json.dumps(found) if options.json else "\n".join(f"{name:28} {value}" for name, value in found.items()))
    return 0
