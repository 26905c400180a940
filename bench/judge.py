"""`script/bench judge`: false alarms and delays of the judge on simulated windows of 15 minutes, seeds fixed.

A look at every sample, all metrics together, as gates.judge does it in production. A false alarm is a FAIL or a metric
pointed out at any look of a window in which both slots are alike. Delays are held against Wald's test on the same
logins, which is told both rates and looks after every login; the judge learns the old rate by itself.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import log
from typing import Any

from bench.judge_apart import moved_apart
from bench.judge_beside import blamed, held_against_others
from bench.judge_classic import Classic
from bench.judge_fleet import WINDOW, Fleet, Look, window
from upgrader import gates
from upgrader.analysis.rates import Counted
from upgrader.gates import Evidence
from upgrader.readings import ASKED, Reading, Sides, of_level, of_rate
from upgrader.states import Outcome
from upgrader.strategy import Limits
from upgrader.strategy_spec import METRICS

RUNS = 2000  # a line
LIMITS = Limits(login_success_min=0.98, min_logins=20, restarts_max=0)
HOUR = 720  # looks after which a delay is given up
RELEASES = ("new", "old")


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def alarmed(evidence: Evidence) -> str:
    """What a look leads to: "FAIL", the metrics that are pointed out, or nothing."""
    judged = gates.judge(evidence, LIMITS)
    if judged.outcome is Outcome.FAIL:
        return "FAIL"
    return "asks" if judged.outcome is Outcome.INCONCLUSIVE and "by chance at most" in judged.sentence else ""


def quiet(fleet: Fleet, runs: int, seed: int) -> dict[str, float]:
    """Windows in which nothing is wrong: the share with an alarm at any look, ours and the classic's."""
    failed = asked = classic = 0
    for run in range(runs):
        rng, beside = random.Random(seed * 1_000_003 + run), Classic()
        ours, theirs = set(), False
        for look in window(rng, fleet):
            ours.add(alarmed(look.evidence))
            theirs = theirs or beside.look(look.canary_ms, look.control_ms)
        failed, asked, classic = failed + ("FAIL" in ours), asked + bool(ours - {""}), classic + theirs
    return {"alarm": asked / runs, "fail": failed / runs, "classic": classic / runs}


def wald(looks: list[Look], fleet: Fleet) -> float:
    """The look at which Wald's test for these two rates, with errors of 1 %, stops for the higher one."""
    bad, good = log(fleet.fails_now / fleet.fails), log((1 - fleet.fails_now) / (1 - fleet.fails))
    sure, ratio = log(0.99 / 0.01), 0.0
    for number, look in enumerate(looks, 1):
        ratio += look.canary_failed * bad + (look.canary - look.canary_failed) * good
        if ratio >= sure:
            return number
    return float("inf")


def ours(looks: list[Look], sees: Callable[[Evidence], bool]) -> float:
    return next((number for number, look in enumerate(looks, 1) if sees(look.evidence)), float("inf"))


def fails(evidence: Evidence) -> bool:
    """Whether the wave fails by its users' logins, which share the false alarms with the probes."""
    names = [name for name, metric in LIMITS.metrics.items() if metric.critical]
    reading = of_rate("logins", evidence.rates["logins"], METRICS["logins"], RELEASES)
    return reading.intolerable and reading.evidence - log(len(names) + 1) >= gates.SURE


def delays(fleet: Fleet, runs: int, seed: int) -> dict[str, float]:
    """Median minutes until a bad release is found, beside Wald's."""
    known, judged = [], []
    for run in range(runs):
        looks: list[Look] = []
        both = [0.0, 0.0]
        for look in window(random.Random(seed * 1_000_003 + run), fleet, HOUR):
            looks.append(look)
            if len(looks) % 60 == 0 or len(looks) == HOUR:
                both = [wald(looks, fleet), ours(looks, fails)]
                if max(both) < float("inf"):
                    break
        known.append(both[0])
        judged.append(both[1])
    minutes = [statistics.median(each) / 12 for each in (judged, known)]
    within = sum(each <= WINDOW for each in judged) / runs
    return {
        "minutes": minutes[0],
        "wald_minutes": minutes[1],
        "over_wald": minutes[0] / minutes[1],
        "in_window": within,
    }


def points(reading: Reading) -> bool:
    """Whether a metric asks a person all alone, by its part of the false questions."""
    weight = gates.asking(LIMITS)[reading.name]
    return reading.intolerable and reading.evidence + log(weight) >= ASKED


def slower(fleet: Fleet, runs: int, looks: int, seed: int) -> dict[str, float]:
    """Windows in which a login takes longer on the new slot: the share found within so many looks."""
    hits = classic = 0
    for run in range(runs):
        beside, seen, theirs = Classic(), False, False
        for look in window(random.Random(seed * 1_000_003 + run), fleet, looks):
            if not seen:
                # With nothing beside it: in production the handshakes, which are slower too, help.
                reading = of_level("login_time", look.evidence.times["login_time"], METRICS["login_time"], RELEASES)
                seen = points(reading)
            theirs = theirs or beside.look(look.canary_ms, look.control_ms)
        hits, classic = hits + seen, classic + theirs
    return {"found": hits / runs, "classic": classic / runs}


def over_zero(runs: int, seed: int) -> dict[str, float]:
    """Errors in 3 of 10 intervals, none on the old slot then and in the hour before: found? And by the classic?"""
    hits = classic = 0
    for run in range(runs):
        rng, beside = random.Random(seed * 1_000_003 + run), Classic()
        bad = set(rng.sample(range(10), 3))
        canary, theirs = Counted(), False
        for interval in range(10):
            for look in range(6):
                canary = canary.looked(1, int(interval in bad and look == 0))
            theirs = theirs or beside.look(float(interval in bad), 0.0)
        reading = of_rate(
            "session_errors", Sides(canary, Counted(60), Counted(720)), METRICS["session_errors"], RELEASES
        )
        hits, classic = hits + points(reading), classic + theirs
    return {"found": hits / runs, "classic": classic / runs}


def curve(runs: int) -> list[dict[str, float]]:
    """What the delay costs where less is known of the old slot: 0.5 % to 10 %, by its traffic and its past."""
    found = []
    for control, past in ((15.0, 0), (15.0, 300), (15.0, 1200), (45.0, 0), (195.0, 0), (195.0, 12000)):
        line = delays(replace(Fleet(), fails_now=0.1, control=control, past=past), runs, seed=8)
        found.append({"control_a_minute": control, "past": past, "over_wald": round(line["over_wald"], 2)})
    return found


LINES: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "independent": lambda runs: quiet(Fleet(), runs, seed=1),
    "ar08": lambda runs: quiet(Fleet(memory=0.8), runs, seed=2),
    "to_10": lambda runs: delays(Fleet(fails_now=0.1), runs, seed=3),
    "to_5": lambda runs: delays(Fleet(fails_now=0.05), runs, seed=4),
    "slower_30": lambda runs: slower(Fleet(slower=1.5), runs, 30, seed=5),
    "slower_ar08_180": lambda runs: slower(Fleet(slower=1.5, memory=0.8), runs, WINDOW, seed=6),
    "zero": lambda runs: over_zero(runs, seed=7),
    "others": lambda runs: held_against_others(runs, LIMITS, bad=False, seed=9),
    "others_bad": lambda runs: held_against_others(runs, LIMITS, bad=True, seed=10),
    "blame": lambda runs: blamed(runs, seed=11),
    "apart": lambda runs: moved_apart(runs, LIMITS, compare="control", seed=12),
    "apart_weeks": lambda runs: moved_apart(runs, LIMITS, compare="past", seed=13),
    "curve": lambda runs: {"lines": curve(max(200, runs // 5))},
}
# The numbers by the names that people ask for them: key → line and its number.
KEYS: Mapping[str, tuple[str, str]] = {
    "false_alarm_independent": ("independent", "alarm"),
    "false_alarm_ar08": ("ar08", "alarm"),
    "false_fail_independent": ("independent", "fail"),
    "false_fail_ar08": ("ar08", "fail"),
    "delay_over_wald_10": ("to_10", "over_wald"),
    "delay_over_wald_5": ("to_5", "over_wald"),
    "delay_minutes_10": ("to_10", "minutes"),
    "delay_minutes_5": ("to_5", "minutes"),
    "time_found_30": ("slower_30", "found"),
    "time_found_180_ar08": ("slower_ar08_180", "found"),
    "zero_baseline_found": ("zero", "found"),
    "false_fail_others": ("others", "failed"),
    "found_beside_others": ("others_bad", "failed"),
    "minutes_beside_others": ("others_bad", "minutes"),
    "attribution_right": ("blame", "right"),
    "attribution_both_told": ("blame", "both_told"),
    "attribution_wrong": ("blame", "wrong"),
    "false_alarm_apart": ("apart", "alarm"),
    "false_alarm_apart_ar08": ("apart", "alarm_ar08"),
    "false_alarm_weeks_ar08": ("apart_weeks", "alarm_ar08"),
    "size_found_apart": ("apart", "found"),
    "size_found_weeks": ("apart_weeks", "found"),
    "classic_false_alarm_independent": ("independent", "classic"),
    "classic_false_alarm_ar08": ("ar08", "classic"),
    "classic_time_found_30": ("slower_30", "classic"),
    "classic_time_found_180_ar08": ("slower_ar08_180", "classic"),
    "classic_zero_baseline_found": ("zero", "classic"),
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench judge", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=RUNS, help="windows a line")
    parser.add_argument("--only", nargs="+", choices=LINES, help="these lines; without it all but the curve")
    options = parser.parse_args(argv)
    found: dict[str, dict[str, Any]] = {}
    for name in options.only or [name for name in LINES if name != "curve"]:
        found[name] = LINES[name](options.runs)
        told(f"{time.process_time():7.1f} s  {name}: {found[name]}")
    result: dict[str, Any] = {"runs": options.runs}
    result |= {key: round(found[line][number], 4) for key, (line, number) in KEYS.items() if line in found}
    result |= found.get("curve", {})
    print(json.dumps(result) if options.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    return 0
