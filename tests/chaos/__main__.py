"""`script/test chaos`: many seeds, two processes, one line of JSON at the end."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from upgrader.serving.child import die_with

ROOT = Path(__file__).parents[2]
FIRST_SEED, EPISODES, LANES, LAB_ROLLOUTS = 20261123, 96, 2, 10


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/test chaos", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--seed", type=int, help="exactly this episode, with its whole story")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first seed; the others follow it")
    parser.add_argument("--simulated", action="store_true", help="without the lab, which needs root and five minutes")
    parser.add_argument("--lab", type=int, default=LAB_ROLLOUTS, help="rollouts on the lab's real gateways")
    parser.add_argument("--plant", default="", help="a bug that must be found, see tests/chaos/planted.py")
    return parser.parse_args()


def started(argv: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    """A process of ours that ends when we do."""
    here = os.getpid()
    return subprocess.Popen(
        [sys.executable, "-m", *argv],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: die_with(here, signal.SIGTERM),
    )


def lane(seeds: list[int], folder: Path, plant: str) -> Iterator[dict[str, Any]]:
    """Play seeds in a process of their own; their reports as they come."""
    env = {"HANDOVER_STATE": str(folder), "PYTHONHASHSEED": "0", "HANDOVER_LOG": "ERROR"}
    env["DATABASE_URL"] = f"sqlite:///{folder}/handover.sqlite3"  # whatever the one who runs us has set
    with started(["tests.chaos.player", *(f"{seed}:{plant}" for seed in seeds)], env) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise SystemExit(f"A lane ended with {process.returncode}.")


def on_the_lab(seed: int, rollouts: int) -> dict[str, Any]:
    """The lab's report; its lines are shown as they come."""
    last = ""
    with started(["tests.chaos.lab_days", str(seed), str(rollouts)], {}) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(last, end="", flush=True)
            last = line
    if not last.startswith("{"):
        raise SystemExit(f"The lab ended with {process.returncode}: {last}")
    return dict(json.loads(last))


def show(report: dict[str, Any], *, story: bool) -> None:
    if report["broken"] or story:
        print(*report["story"], sep="\n")
    for what, say in report["broken"]:
        print(f"BROKEN {what}: {say}\n  again: script/test chaos --seed {report['seed']}")


def main() -> int:
    options = asked()
    seeds = [options.seed] if options.seed is not None else list(range(options.first, options.first + options.episodes))
    folder = Path(tempfile.mkdtemp(prefix="handover-chaos-"))
    began = time.monotonic()
    reports: list[dict[str, Any]] = []

    def play(number: int) -> None:
        for report in lane(seeds[number::LANES], folder / str(number), options.plant):
            reports.append(report)
            show(report, story=options.seed is not None)
            ends = ", ".join(f"{count} {state}" for state, count in sorted(report["ends"].items()))
            print(
                f"{len(reports)}/{len(seeds)} seed {report['seed']}: {report['gateways']} gateways; {ends}", flush=True
            )

    try:
        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(play, range(min(LANES, len(seeds)))))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not options.simulated and options.seed is None and options.lab:
        reports.append({"rollouts": 0, "moves": 0, **on_the_lab(options.first, options.lab)})
    return summed(reports, options, seconds=time.monotonic() - began)


def summed(reports: list[dict[str, Any]], options: argparse.Namespace, *, seconds: float) -> int:
    faults: Counter[str] = Counter()
    for report in reports:
        faults.update(report["faults"])
    total = {
        "rollouts": sum(report["rollouts"] for report in reports),
        "lab_rollouts": sum(report.get("lab_rollouts", 0) for report in reports),
        "invariants_broken": sum(len(report["broken"]) for report in reports),
        "faults": dict(sorted(faults.items())),
        "moves": sum(report["moves"] for report in reports),
        "seed": options.seed if options.seed is not None else options.first,
        "cpu_s": round(sum(report.get("cpu_s", 0.0) for report in reports)),
    }
    print(f"{total['rollouts']} rollouts, {sum(faults.values())} faults, {total['moves']} moves in {seconds:.0f} s:"
          f" {total['invariants_broken']} invariants broken.")  # fmt: skip
    if options.json:
        print(json.dumps(total))
    return 1 if total["invariants_broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
