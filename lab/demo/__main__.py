"""`python -m lab.demo`: what script/demo runs once everything is installed."""

from __future__ import annotations

import argparse
import os
import sys

from lab.commands import LabError
from lab.demo import simulated, stage
from lab.demo.dashboard import ROOT, Dashboard, DemoError, port_is_free
from lab.demo.door import alone, stoppable
from lab.demo.once import bad_release_of, prove
from lab.demo.pages import PageError

STATE = ROOT / "var/demo"
GATEWAYS, USERS, LATER = 4, 12, 6


def chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/demo", description="The whole product on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="where the dashboard answers on 127.0.0.1")
    parser.add_argument("--once", action="store_true", help="no person needed: run it, check it, print one JSON line")
    parser.add_argument("--simulated", action="store_true", help="gateways in memory: needs no root")
    return parser.parse_args()


def invite(running: stage.Stage) -> None:
    """Say where to go and what to do there."""
    bad = simulated.BAD if running.lab is None else bad_release_of(running.lab)
    print(f"\nHandover is on {running.dashboard.address}{' (simulated)' if running.lab is None else ''}")
    for name, password in running.passwords.items():
        print(f"  {name:<9} {password}")
    good = bad.removesuffix("+bad")
    print(f"  1. As operator: New rollout, {good}, ask for approval. In a private window, oncall approves.")
    print("  2. Watch wave 1; promote the next waves. Users stay where they are; new ones land on the new release.")
    print("     Soon after the last wave users begin to go home: old slots empty, and the rollout is done.")
    print(f"  3. The same with {bad}: it is rolled back by itself. As auditor: Audit.")
    print("Every start begins afresh. Ctrl-C takes everything down.", flush=True)


def run(options: argparse.Namespace) -> int:
    in_memory = options.simulated or os.geteuid() != 0 or sys.platform != "linux"
    say = stage.clock()
    if in_memory and not options.simulated:
        say("real gateways need root on Linux, so these are simulated in memory; as root it is the real thing")
    if not port_is_free(options.port):
        raise DemoError(f"Port {options.port} is taken: choose another, script/demo --port {options.port + 1}")
    dashboard = Dashboard(STATE, port=options.port, simulated=in_memory, say=say)
    made = (
        stage.in_memory(dashboard, gateways=GATEWAYS)
        if in_memory
        else stage.real(dashboard, gateways=GATEWAYS, users=USERS, later=LATER)
    )
    with made as running:
        if options.once:
            return prove(running)
        invite(running)
        dashboard.wait()
    return 0


def main() -> int:
    options = chosen()
    stoppable()
    try:
        with alone(STATE, "demo"):
            return run(options)
    except (DemoError, LabError, PageError) as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEverything is taken down.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
