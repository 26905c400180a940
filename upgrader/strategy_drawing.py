"""A strategy or a plan as a drawing: a wave is a row of steps, a share of new clients each, with its watch behind it.

Only geometry and words; the template makes SVG of it. x and widths are percent: readable at any width. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.phrases import count, duration, listed
from fleet.words import Word
from upgrader import plan_words
from upgrader.flow import OUTGOING
from upgrader.strategy import Spec, WaveSpec, parse_spec
from upgrader.strategy_check import observed

BASE, TALL, LOW = 44.0, 40.0, 6.0  # px: the ground line, the height of 100 %, the least height
LABELLED, TIMED = 6, 3  # shares of a row that have room for their percent, and for their time too, on a phone
ROWS = 6  # waves that are drawn; a rolling plan has hundreds

HAND = Word("a person lets it on", "waiting", "hand")
GEAR = Word("goes on by itself after a pass", "running", "cog")


@dataclass(frozen=True)
class Step:
    """One share of new clients, and the watch behind it."""

    weight: int
    x: float
    width: float
    y: float
    height: float
    middle: float  # of the block, where its label stands
    end: float  # of the block, where its watch begins
    gap_end: float
    gap_middle: float
    label: str
    gap: str  # how long it is watched; "" when it is not, or where there is no room


@dataclass(frozen=True)
class Row:
    number: int
    title: str
    which: str  # which gateways
    steps: tuple[Step, ...]
    say: str  # the same in words
    each: str  # how long each share is watched, where the steps have no room to say it
    then: Word | None  # who lets the next wave start
    shares: Word | None  # who lets the next share start; None for one share


@dataclass(frozen=True)
class Drawing:
    rows: tuple[Row, ...]
    more: str  # what is not drawn
    drain: str
    together: str  # what happens at the one moment for all; "" where there is none
    left: str  # what drains


def of_spec(spec: Spec) -> Drawing:
    """A strategy, before anybody knows which gateways it will meet."""
    rules = [(rule.title, which(rule, spec.waves), rule.weights, observed(spec, rule)) for rule in spec.waves]
    more = "Then the next batch, until every gateway had its turn." if spec.kind == "rolling" else ""
    return _drawing(spec, rules, more=more)


def of_plan(plan: Mapping[str, Any]) -> Drawing:
    """A plan with its gateways; of many waves the first ones."""
    spec = parse_spec(plan["spec"])
    waves = plan["waves"]
    rules = [
        (str(wave["title"]), _gateways(wave), tuple(wave["weights"]), wave.get("observe_seconds", spec.observe_seconds))
        for wave in waves[:ROWS]
    ]
    rest = [gateway for wave in waves[ROWS:] for gateway in wave["gateways"]]
    more = (
        f"Then {count(len(waves) - ROWS, 'more wave')} like these, with {count(len(rest), 'gateway')}." if rest else ""
    )
    return _drawing(spec, rules, more=more, last_is_drawn=not rest)


def which(rule: WaveSpec, waves: Sequence[WaveSpec] = ()) -> str:
    """Which gateways a wave takes, in words."""
    match rule.take:
        case "count":
            return count(rule.amount, "gateway")
        case "percent":
            return f"{rule.amount} % of the gateways"
        case "labels":
            return f"those with {listed([f'{name}={value}' for name, value in rule.labels.items()], 8)}"
        case "names":
            return listed(rule.names, 8)
    return "all gateways" if len(waves) == 1 else "all that are left"


def _gateways(wave: Mapping[str, Any]) -> str:
    rows = [gateway for gateway in wave["gateways"] if gateway.get("way") != OUTGOING]
    users = sum(gateway["sessions"] for gateway in rows)
    return f"{count(len(rows), 'gateway')} · {count(users, 'user')} now"


Rule = tuple[str, str, Sequence[int], int]


def _drawing(spec: Spec, rules: Sequence[Rule], *, more: str, last_is_drawn: bool = True) -> Drawing:
    next_wave = HAND if spec.promote == "hand" else GEAR
    next_share = HAND if spec.shares == "hand" else GEAR
    rows = tuple(
        Row(
            number=number,
            title=title,
            which=gateways,
            steps=_steps(weights, seconds),
            say=_say(weights, seconds),
            each=f"each watched for {duration(seconds)}" if seconds and len(weights) > TIMED else "",
            then=next_wave if number < len(rules) or not last_is_drawn or spec.kind == "rolling" else None,
            shares=next_share if len(weights) > 1 else None,
        )
        for number, (title, gateways, weights, seconds) in enumerate(rules, start=1)
    )
    return Drawing(rows, more, plan_words.drain_say(spec), _together(spec), plan_words.left_of(spec))


def _together(spec: Spec) -> str:
    if spec.between:
        return f"when all are filled and verified, all new users go there: between {' and '.join(spec.between)}"
    if spec.kind == "blue_green":
        return "every gateway shifts at the same moment, when all are filled and verified"
    return ""


def _steps(weights: Sequence[int], seconds: int) -> tuple[Step, ...]:
    wide = 100 / len(weights)
    block = wide * (0.5 if seconds else 1.0)
    tight = len(weights) > LABELLED
    made = []
    for turn, weight in enumerate(weights):
        x, height = turn * wide, max(LOW, TALL * weight / 100)
        ends = turn in (0, len(weights) - 1)
        made.append(
            Step(
                weight=weight,
                x=round(x, 2),
                width=round(block, 2),
                y=round(BASE - height, 2),
                height=round(height, 2),
                middle=round(x + block / 2, 2),
                end=round(x + block, 2),
                gap_end=round(x + wide, 2),
                gap_middle=round(x + (block + wide) / 2, 2),
                label=f"{weight} %" if ends or not tight else "",
                gap=duration(seconds) if seconds and len(weights) <= TIMED else "",
            )
        )
    return tuple(made)


def _say(weights: Sequence[int], seconds: int) -> str:
    watched = f"watched for {duration(seconds)}" if seconds else "not watched"
    each = " each" if len(weights) > 1 else ""
    shares = ", then ".join(f"{weight} %" for weight in weights)
    return f"{shares} of the new clients, {watched}{each}"
