"""Which of two changes a wave's failures came with, said on its verdict. Reads only.

Slots of the pool's gateways are put into cells by which of the changes had come to them, and when; what is asked of the
cells is upgrader/analysis/attribution.py. A shift's new slot is told from the old one beside it: that tells a release
from a configuration that came to both.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from fleet.metrics.newest import by_slot
from fleet.phrases import sentence
from upgrader import beside
from upgrader.analysis.attribution import Blame, Cell, blame
from upgrader.beside import Changed, Touch
from upgrader.gates import ALPHA, Judgement
from upgrader.models import Rollout, Wave
from upgrader.readings import OTHERS, WEEKS
from upgrader.states import Outcome

BEFORE = timedelta(minutes=60)
SAME_TIME = 120.0  # seconds: touches so close begin one period
PERIODS_MOST = 6
RATES = {"logins": "failures", "session_errors": "errors"}  # metric → a reading's column
THIS = "this rollout"
MINE = (THIS, "both")
ASKED = frozenset({Outcome.FAIL, Outcome.INCONCLUSIVE})


def attributed(judgement: Judgement, rollout: Rollout, wave: Wave, *, now: datetime) -> Judgement:
    """The verdict with what each other change of its time has to do with it; as it is where there was none.

    A slot that died or was started again is its release's own: only what is counted can come from another change.
    """
    counted = float(judgement.numbers.get("by_chance", 1.0)) <= ALPHA
    if judgement.outcome not in ASKED or (judgement.outcome == Outcome.FAIL and not counted):
        return judgement
    mine = beside.own(rollout)
    here = [touch.at for pk, touch in mine.touches.items() if pk in gateways_of(wave)]
    if not here:
        return judgement
    began = datetime.fromtimestamp(min(here), now.tzinfo)
    told = [
        explained(judgement, rollout, (mine, other), began=began, now=now) for other in beside.others(rollout, began)
    ]
    if not told:
        return judgement
    outcome, said = judgement.outcome, [sentence(judgement.sentence), *dict.fromkeys(str(one["say"]) for one in told)]
    if is_confounded(judgement) and any(one["points_to"] not in MINE for one in told):
        outcome = Outcome.INCONCLUSIVE
        said.append("So a person decides what is taken back.")
    return Judgement(outcome, " ".join(said), {**judgement.numbers, "attribution": told})


def is_confounded(judgement: Judgement) -> bool:
    """Whether a FAIL was drawn beside other gateways or another time, where another change may be what differs.

    An old slot beside the new one meets the same configuration, and a probe is held against no gateway at all.
    """
    metric = judgement.numbers.get("failed_by", "")
    baseline = judgement.numbers.get("metrics", {}).get(metric, {}).get("baseline", "")
    elsewhere = baseline in (OTHERS, WEEKS) or str(metric).startswith("outside_")
    return judgement.outcome is Outcome.FAIL and elsewhere


def gateways_of(wave: Wave) -> set[int]:
    return set(wave.upgrades.values_list("gateway_id", flat=True))


def explained(
    judgement: Judgement, rollout: Rollout, changes: tuple[Changed, Changed], *, began: datetime, now: datetime
) -> dict[str, Any]:
    """One other change against this rollout: numbers and a sentence."""
    metric = worst_rate(judgement)
    cells = cells_of(rollout, changes, RATES[metric], span=(began - BEFORE, now))
    bursts = float(judgement.numbers.get("metrics", {}).get(metric, {}).get("bursts", 1.0))
    found = blame(cells, burst=max(1.0, bursts))
    counts = summed(cells)
    return {
        "change": changes[1].name,
        "metric": metric,
        "points_to": {"first": THIS, "second": changes[1].name}.get(found.which, found.which),
        "this": asdict(found.first),
        "other": asdict(found.second),
        "cells": {name: {"tried": tried, "failed": failed} for name, (tried, failed) in counts.items()},
        "say": say(found, changes, metric, counts=counts),
    }


def worst_rate(judgement: Judgement) -> str:
    """The rate that says most against the release."""
    metrics = judgement.numbers.get("metrics", {})
    return max(RATES, key=lambda name: float(metrics.get(name, {}).get("log_e", 0.0)))


def cells_of(
    rollout: Rollout, changes: tuple[Changed, Changed], column: str, *, span: tuple[datetime, datetime]
) -> list[Cell]:
    """The counts of all slots by group, period and which change was in effect."""
    first, second = changes
    begin, end = (moment.timestamp() for moment in span)
    everybody = beside.universe(rollout, first, second)
    bounds = [begin, *cuts([*first.touches.values(), *second.touches.values()], begin), end]
    made: dict[tuple[str, int, bool, bool], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for period, (since, until) in enumerate(zip(bounds, bounds[1:], strict=False)):
        for (gateway, slot), (tried, failed) in by_slot(everybody, column, since=since, until=until).items():
            one, two = (change.touches.get(gateway) for change in changes)
            group = f"{'this ' if one else ''}{'other' if two else ''}".strip() or "neither"
            cell = made[group, period, on(one, slot, since), on(two, slot, since)]
            cell[0], cell[1] = cell[0] + tried, cell[1] + failed
    return [Cell(*key, tried=tried, failed=failed) for key, (tried, failed) in sorted(made.items())]


def cuts(touches: list[Touch], begin: float) -> list[float]:
    """When periods begin: at each touch that is not close behind another one; of many the last."""
    found: list[float] = []
    for at in sorted(touch.at for touch in touches if touch.at > begin):
        if not found or at - found[-1] > SAME_TIME:
            found.append(at)
    return found[-PERIODS_MOST:]


def on(touch: Touch | None, slot: int, since: float) -> bool:
    """Whether a change is in effect on a slot in the period that begins then."""
    return touch is not None and touch.at < since + SAME_TIME and touch.slot in (0, slot)


def summed(cells: list[Cell]) -> dict[str, tuple[float, float]]:
    """Tries and failures by which change was in effect, over all groups and times."""
    found: dict[str, tuple[float, float]] = {}
    names = {(True, False): "this", (False, True): "other", (True, True): "both", (False, False): "neither"}
    for cell in cells:
        tried, failed = found.get(names[cell.first, cell.second], (0.0, 0.0))
        found[names[cell.first, cell.second]] = (tried + cell.tried, failed + cell.failed)
    return found


def say(found: Blame, changes: tuple[Changed, Changed], metric: str, *, counts: dict[str, tuple[float, float]]) -> str:
    """One or two sentences for who must decide, with the numbers."""
    what = "failed logins" if metric == "logins" else "sessions that end in an error"
    this, other = changes[0].name, changes[1].name
    names = {"this": f"{this} alone", "other": f"{other} alone", "both": "both", "neither": "neither"}
    numbers = ", ".join(
        f"{names[key]} {counts[key][1]:,.0f} of {counts[key][0]:,.0f}" for key in names if key in counts
    )
    head = f"At the same time there was {other}."
    times = f"×{found.first.times:.1f} with {this}, ×{found.second.times:.1f} with {other}"
    match found.which:
        case "first":
            point = f"The {what} point to {this}"
        case "second":
            point = f"The {what} point to {other}, not to {this}"
        case "both":
            point = f"The {what} point to both"
        case _:
            known = numbers or "nothing was measured"
            return f"{head} Which of them the {what} come from can't be told ({known})."
    return f"{head} {point} ({times}; {numbers})."
