"""`script/bench anomaly`: does quiet loss get found, how soon, and how often is there an alarm about nothing?

Each line is a scene (bench/anomaly_series.py) with seeds fixed, looked at as often as in production for three days. An
alarm about a gateway on which nothing is wrong, or before the loss begins, is a false one. Libraries see the same bins.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from bench import anomaly_recorded
from bench.anomaly_libraries import by_change_point, by_forest
from bench.anomaly_series import AFTER, BEGIN, WIDTH, Fault, Scene, Town, town
from fleet.quiet import pace
from fleet.quiet.bins import Bin, Line, busiest, widened
from fleet.quiet.detect import judge, lasting
from fleet.quiet.fit import Case

RUNS = 40  # a line
LEAK = Fault("rss_bytes", hourly=0.015)
SLOW = Fault("rtt_ms", step=1.3, after=8)
SCENES: Mapping[str, Scene] = {
    "leak": Scene((LEAK,), wrong=True),
    "leak_alone": Scene((LEAK,), wrong=True, peers=0),
    "leak_first_day": Scene((Fault("rss_bytes", hourly=0.03),), wrong=True, peers=0, past=6),
    "leak_later": Scene((replace(LEAK, after=20),), wrong=True),
    "files": Scene((Fault("open_files", hourly=0.02),), wrong=True),
    "step_rtt": Scene((SLOW,), wrong=True),
    "step_rtt_alone": Scene((replace(SLOW, step=1.5),), wrong=True, peers=0),
    "step_cpu": Scene((Fault("cpu", step=1.5),), wrong=True),
    "resent": Scene((Fault("retransmitted", step=2.0, after=12),), wrong=True),
    "drift_login": Scene((Fault("auth_seconds", hourly=0.01),), wrong=True),
    "drift_handshake": Scene((Fault("handshake_ms", hourly=0.008, after=6),), wrong=True),
    "short_sessions": Scene((Fault("departures", step=1.8, after=4),), wrong=True),
    "reconnects": Scene((Fault("reconnects", step=2.0, after=10),), wrong=True),
    "several": Scene(
        tuple(
            Fault(name, step=step, after=6)
            for name, step in (("rtt_ms", 1.12), ("handshake_ms", 1.12), ("cpu", 1.2), ("retransmitted", 1.3))
        ),
        wrong=True,
    ),
    "nothing": Scene(),
    "nothing_alone": Scene(peers=0),
    "nothing_first_day": Scene(peers=0, past=6),
    "season": Scene(season=0.9),
    "season_alone": Scene(season=0.9, peers=0),
    "growth": Scene(growth=0.5),
    "fills": Scene((Fault("rss_bytes", step=1.2, fills=1.5),)),
    "pool": Scene((replace(SLOW, step=1.6), replace(LEAK, after=5)), everywhere=True),
    "recorded_leak": Scene((LEAK,), wrong=True),
    "recorded_quiet": Scene(),
}


MEASURE = {
    **{"rss_bytes": "memory", "open_files": "files", "auth_seconds": "login", "handshake_ms": "handshake"},
    **{"rtt_ms": "rtt", "retransmitted": "retransmissions", "departures": "length"},
    **{"cpu": "cpu", "reconnects": "reconnects"},
}
"""Where a fault is put → the measure that has to be named."""


def ours(case: Case, before: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """What is called out, and what was found."""
    judged = judge(case)
    return [one.name for one in lasting(judged, before)], frozenset(one.name for one in judged.found)


def twice(way: Callable[[Case], list[str]]) -> Callable[[Case, frozenset[str]], tuple[list[str], frozenset[str]]]:
    """A library is believed at the second look, too."""

    def look(case: Case, before: frozenset[str]) -> tuple[list[str], frozenset[str]]:
        found = way(case)
        return [name for name in found if name in before], frozenset(found)

    return look


WAYS: Mapping[str, Callable[[Case, frozenset[str]], tuple[list[str], frozenset[str]]]] = {
    "": ours,
    "ruptures_": twice(by_change_point),
    "forest_": twice(by_forest),
}


def case_at(seen: Town, now: int) -> Case:
    """What the watch reads at this moment."""
    reach = pace.reach(BEGIN, now)

    def part(line: Line, since: int, width: int) -> list[Bin]:
        return widened([each for each in line if since <= each.at and each.at + 600 <= now], width)

    line = part(seen.gateway, reach.since, reach.width)
    begin = -(-BEGIN // reach.width) * reach.width
    return Case(
        begin=begin,
        before=busiest([[each for each in line if each.at < begin - reach.width]]),
        after=[each for each in line if each.at >= begin],
        long=[each for each in part(seen.gateway, BEGIN - pace.LONG, pace.HOUR) if each.at < BEGIN],
        controls=[part(peer, reach.since, reach.width) for peer in seen.peers],
    )


def looks() -> Iterator[int]:
    """When production looks."""
    now = float(BEGIN + pace.FIRST)
    while now <= BEGIN + AFTER:
        yield int(now)
        now += pace.pause(now - BEGIN)


@dataclass(frozen=True)
class Run:
    """Per way: seconds from BEGIN to the first alarm, if any; and which measures it named."""

    alarms: Mapping[str, tuple[float, list[str]]]


def run(name: str, number: int, *, ways: tuple[str, ...] = tuple(WAYS)) -> Run:
    if name in anomaly_recorded.SCENES:
        return watched(((case.after[-1].at + WIDTH, case) for case in anomaly_recorded.cases(name)), ways)
    seen = town(f"{name}/{number}", SCENES[name])
    return watched(((now, case_at(seen, now)) for now in looks()), ways)


def watched(cases: Iterable[tuple[int, Case]], ways: tuple[str, ...]) -> Run:
    """`cases`: what each look sees, and when."""
    alarms: dict[str, tuple[float, list[str]]] = {}
    before = dict.fromkeys(ways, frozenset[str]())
    for now, case in cases:
        open_ways = [way for way in ways if way not in alarms]
        if not open_ways:
            break
        for way in open_ways:
            found, before[way] = WAYS[way](case, before[way])
            if found:
                alarms[way] = (now - BEGIN, found)
    return Run(alarms)


@dataclass
class Tally:
    """What one way did over lines."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __post_init__(self) -> None:
        self.delays: list[float] = []

    def add(self, scene: Scene, alarm: tuple[float, list[str]] | None) -> None:
        onset = 3600 * min((fault.after for fault in scene.faults), default=0.0)
        right = {MEASURE[fault.column] for fault in scene.faults} | {"several"}
        if alarm is None:
            self.missed += scene.wrong
        elif scene.wrong and alarm[0] >= onset and right & set(alarm[1]):
            self.right += 1
            self.delays.append(alarm[0] - onset)
        else:
            self.wrong += 1
            self.missed += scene.wrong

    def told(self) -> dict[str, float | None]:
        alarms, losses = self.right + self.wrong, self.right + self.missed
        return {
            "precision": round(self.right / alarms, 3) if alarms else None,
            "recall": round(self.right / losses, 3) if losses else None,
            "median_delay_s": statistics.median(self.delays) if self.delays else None,
            "false_alarms": self.wrong,
        }


def times(name: str, runs: int) -> int:
    """There is one recording."""
    return 1 if name in anomaly_recorded.SCENES else runs


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench anomaly", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=RUNS, help="gateways a line")
    parser.add_argument("--only", nargs="+", choices=SCENES, help="these lines")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="ours is the empty one")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    whole = {way: Tally() for way in options.ways}
    lines: dict[str, dict[str, dict[str, float | None]]] = {}
    with ProcessPoolExecutor(options.workers) as pool:
        for name in options.only or SCENES:
            found = list(pool.map(partial(run, name, ways=tuple(options.ways)), range(times(name, options.runs))))
            parts = {way: Tally() for way in options.ways}
            for one in found:
                for way in options.ways:
                    parts[way].add(SCENES[name], one.alarms.get(way))
                    whole[way].add(SCENES[name], one.alarms.get(way))
            lines[name] = {way or "ours": tally.told() for way, tally in parts.items()}
            named = [one.alarms[""] for one in found if "" in one.alarms][:6]
            print(f"{time.process_time():6.1f} s  {name}: {lines[name]} {named}", file=sys.stderr, flush=True)
    result: dict[str, object] = {"runs": options.runs}
    for way, tally in whole.items():
        result |= {way + key: value for key, value in tally.told().items()}
    result["lines"] = lines
    print(json.dumps(result) if options.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    return 0
