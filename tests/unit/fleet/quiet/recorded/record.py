"""Records what a real gateway says while a release that leaks takes over from one that does not. Root, some 10 minutes.

The old release serves for QUIET seconds, then a variant of 1.3.0 of which a companion process keeps 128 KiB of every
session (lab/badness.py) takes the new users for LEAKING seconds. Users come and go all the time, five of each stay.
Usage: manage.py shell -c 'from tests.unit.fleet.quiet.recorded import record; record.main()'
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from fleet.gateways import answers
from fleet.metrics import counters
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from tests.gateway.ocgate.door import Door, bundle_of, stage_args
from tests.gateway.ocgate.guests import all_leave, sign_in

EVERY, QUIET, LEAKING = 5.0, 150.0, 240.0  # seconds
RATE = 1.0  # sign-ins a second
STAYING = range(230, 235)
OUT = Path(__file__).with_name("leak.json")


class Recorder:
    """Asks for `metrics` and keeps what a collector would."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._last: dict[int, tuple[float, dict[str, Any]]] = {}
        self.rows: list[dict[str, Any]] = []

    def look(self) -> None:
        now = time.time()
        for slot in answers.metrics(self._door.ask("metrics")):
            at, last = self._last.get(slot.slot, (now - EVERY, None))
            row = counters.reading(slot, last)
            self._last[slot.slot] = (now, counters.kept(slot))
            self.rows.append({"slot": slot.slot, "at": round(now, 2), "seconds": round(now - at, 2), **row})

    def watch(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            begun = time.monotonic()
            self.look()
            time.sleep(max(0.0, EVERY - (time.monotonic() - begun)))


def to_leaking(lab: Lab, gateway: Gateway, door: Door) -> float:
    """New users go to the leaking release from now on; returns when."""
    folder = lab.bad_release("leak")
    door.ask("stage", raw=bundle_of(folder), **stage_args(folder))
    door.ask("start", release=folder.name, slot=2)
    door.ask("shift", weights={"1": 0, "2": 100}, seconds=3600)
    # Those who came and went have their addresses learnt for slot 1; here they are to be other people.
    gateway.run(["sh", "-c", "nft flush map inet handover sticky4; nft flush map inet handover sticky6"])
    gateway.run(["rm", "-f", "/run/ocgate/learnt.json"])
    for host in STAYING:
        sign_in(lab, gateway, host)
    return time.time()


def record() -> dict[str, Any]:
    with Lab(gateways=1, users=5, say=lambda text: print(text, file=sys.stderr)) as lab:
        gateway = lab.gateways[0]
        with Door(gateway) as door:
            wait_until(lambda: len(gateway.sessions()) == 5, seconds=60, what="Five users")
            recorder = Recorder(door)
            lab.churn.start(RATE)
            recorder.watch(QUIET)
            begin = to_leaking(lab, gateway, door)
            recorder.watch(LEAKING)
            lab.churn.stop()
            all_leave()
            return {"begin": round(begin, 2), "every": EVERY, "rows": recorder.rows}


def main() -> None:
    OUT.write_text(json.dumps(record(), separators=(",", ":")) + "\n")
