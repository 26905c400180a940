"""What gateways under observation said, summed to the two sides that a verdict compares. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from upgrader import complaints
from upgrader.analysis.rates import Counted
from upgrader.analysis.times import Pair, Sums
from upgrader.flow import OUTGOING
from upgrader.gates import Evidence, Side
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.readings import OTHERS, WEEKS, Apart, Sides, Whole
from upgrader.steps import apart
from upgrader.steps.tally import ALL_LEVELS, ALL_RATES, counted, paired

MISSES_UNTIL_SILENT = 3


def evidence(rollout: Rollout, watched: list[Upgrade], steps: Mapping[int, StepRun]) -> Evidence:
    """Sum what the gateways said since their present share was shifted. `steps`: open ones, by their upgrade's id."""
    observed = [
        (upgrade, step) for upgrade in watched if (step := steps.get(upgrade.pk)) is not None and step.name == "observe"
    ]
    # Between two pools the old release is the one that serves in the other, and the idle one's is nobody's.
    home = [upgrade for upgrade in watched if upgrade.way == OUTGOING] or watched
    old = "/".join(sorted({upgrade.from_release for upgrade in home}))
    lost = [str(step.result["lost"]) for _, step in observed if step.result.get("lost")]
    silent = [upgrade.gateway.name for upgrade, step in observed if is_silent(step)]
    made = summed([step.result.get("tally", {}) for _, step in observed], new=rollout.release.name, old=old)
    return replace(
        made,
        rates={**made.rates, **complaints.sides(rollout.release.name, observed)},
        lost=lost,
        silent=silent,
        gateways=max(1, sum(upgrade.way != OUTGOING for upgrade, _ in observed)),
        blind=[str(step.result["blind"]) for _, step in observed if step.result.get("blind")],
        facts={upgrade.gateway.name: fact for upgrade, step in observed if (fact := fact_of(step.result))},
        sources=Counter(str(step.result["source"]) for _, step in observed if step.result.get("source")),
    )


def summed(tallies: Sequence[Mapping[str, Any]], *, new: str, old: str) -> Evidence:
    """Add up tallies as steps/tally.py keeps them, one a gateway. `new`, `old`: the releases."""
    canary, control = Side(new), Side(old)
    for tally in tallies:
        canary, control = add(canary, tally.get("canary", {})), add(control, tally.get("control", {}))
    rates = {name: sides(name, tallies) for name in ALL_RATES}
    pairs = {name: [tally.get("times", {}).get(name) for tally in tallies] for name in ALL_LEVELS}
    times = {name: [paired(rows) for rows in found if rows] for name, found in pairs.items()}
    rates |= {name: found for name in apart.ALL_RATES if (found := outside(name, tallies)).canary.tried}
    told = [tally["apart"] for tally in tallies if tally.get("apart")]
    whole = Whole(
        {name: sizes for name in apart.ALL_SIZES if (sizes := moved(name, told))},
        {name: say for one in told for name, say in one["by"].items()},
    )
    quiet: dict[str, list[str]] = {}
    for one in told:
        for source, say in one["quiet"].items():
            quiet.setdefault(source, []).append(say)
    number = max(1, len(tallies))
    return Evidence(canary, control, rates=rates, times=times, gateways=number, whole=whole, quiet=quiet)


def outside(name: str, tallies: Sequence[Mapping[str, Any]]) -> Sides:
    """What probe hosts found at the gateways of the wave, at others, and at these before."""
    canary, past, others = Counted(), Counted(), Counted()
    for tally in tallies:
        one = tally.get("apart", {}).get("rates", {}).get(name, {})
        canary += counted(one.get("canary"))
        past += Counted(*one.get("past", (0, 0)))
        # Each gateway of a wave has the same other ones.
        others = max(others, counted(one.get("others")), key=lambda side: side.tried)
    return Sides(canary, past=past, others=others)


def moved(name: str, told: Sequence[Mapping[str, Any]]) -> list[Apart]:
    """One size of each gateway of the wave as a whole."""
    found = []
    for one in told:
        if line := one["series"].get(name):
            pair = Pair(Sums(*line["after"]), Sums(*line["before"]))
            found.append(Apart(pair, OTHERS if line["held"] == apart.OTHERS else WEEKS, *line["size"]))
    return [one for one in found if one.pair.canary.n]


def sides(name: str, tallies: Sequence[Mapping[str, Any]]) -> Sides:
    """One rate of all gateways of the wave."""
    canary, control, past, weeks = Counted(), Counted(), Counted(), Counted()
    for tally in tallies:
        one = tally.get("rates", {}).get(name, {})
        canary, control = canary + counted(one.get("canary")), control + counted(one.get("control"))
        past += Counted(*one.get("past", (0, 0)))
        weeks += Counted(*tally.get("weeks", {}).get(name, (0, 0)))
    # Each gateway of a wave counts the same other gateways: the one that has counted longest tells of them.
    others = (counted(tally.get("others", {}).get("rates", {}).get(name)) for tally in tallies)
    return Sides(canary, control, past, max(others, key=lambda one: one.tried, default=Counted()), weeks)


def fact_of(result: Mapping[str, Any]) -> str:
    """How a gateway stands where it is not fine: by the collector, else as it is seen from outside."""
    facts = result.get("tally", {}).get("apart", {}).get("facts", {})
    return str(result.get("fact") or "") or next(iter(facts.values()), "")


def is_silent(step: StepRun | None) -> bool:
    """Whether its gateway has not answered lately."""
    return step is not None and int(step.result.get("misses", 0)) >= MISSES_UNTIL_SILENT


def add(side: Side, counts: Mapping[str, Any]) -> Side:
    """`counts` as steps/tally.py keeps them."""
    return replace(
        side,
        tried=side.tried + int(counts.get("tried", 0)),
        failed=side.failed + int(counts.get("failed", 0)),
        restarts=side.restarts + int(counts.get("restarts", 0)),
        last_failure=str(counts.get("last", "")) or side.last_failure,
        run=max(side.run, int(counts.get("run", 0))),
    )
