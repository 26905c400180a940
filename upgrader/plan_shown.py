"""A plan as a page shows it: bounded, however many gateways it has. Plans of older versions too. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.phrases import count, duration
from upgrader import between_words, plan_words, strategy_drawing
from upgrader.flow import OUTGOING
from upgrader.strategy import SpecError

WAVES = 20  # that are shown one by one
NAMES = 12  # gateways of a wave that are seen at once
MOST = 500  # gateways of a wave behind "all of them"


@dataclass(frozen=True)
class ShownWave:
    number: int
    title: str
    weights: str
    gateways: Sequence[Mapping[str, Any]]  # at most MOST
    total: int
    users: int
    cut: int
    froms: str
    why: str
    takes: str  # expected time; "" when the plan does not say
    ends: str  # from the start of the rollout

    @property
    def first(self) -> Sequence[Mapping[str, Any]]:
        return self.gateways[:NAMES]

    @property
    def rest(self) -> Sequence[Mapping[str, Any]]:
        return self.gateways[NAMES:]

    @property
    def beyond(self) -> int:
        """Gateways that the page does not list."""
        return self.total - len(self.gateways)


@dataclass(frozen=True)
class Shown:
    waves: tuple[ShownWave, ...]
    more: str  # the waves that are not shown
    rules: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    times: str
    drawing: strategy_drawing.Drawing | None
    between: between_words.Shown | None  # both pools, where it switches between two


def shown(plan: Mapping[str, Any]) -> Shown:
    ends = {end.number: end for end in plan_words.ends(plan)}
    waves = plan["waves"]
    rest = [gateway for wave in waves[WAVES:] for gateway in wave["gateways"]]
    last = ends.get(waves[-1]["number"]) if waves else None
    when = f" The last ends about {duration(last.after)} after the start." if last else ""
    more = f"{count(len(waves) - WAVES, 'more wave')} with {count(len(rest), 'gateway')}.{when}" if rest else ""
    warnings = [say for say in (plan_words.cut_say(plan), plan_words.left_out_say(plan)) if say]
    rows = tuple(_wave(wave, ends.get(wave["number"])) for wave in waves[:WAVES])
    try:
        rules, drawing = plan_words.rules(plan), strategy_drawing.of_plan(plan)
    except SpecError as unreadable:
        # The rollout itself holds with this sentence; the page must still open.
        rules, drawing = [("Strategy", f"It can't be read: {unreadable}")], None
    return Shown(rows, more, rules, warnings, str(plan.get("times", "")), drawing, between_words.shown(plan))


def _wave(wave: Mapping[str, Any], end: plan_words.Ends | None) -> ShownWave:
    gateways = [gateway for gateway in wave["gateways"] if gateway.get("way") != OUTGOING]
    return ShownWave(
        number=wave["number"],
        title=str(wave["title"]),
        weights=" → ".join(str(weight) for weight in wave["weights"]),
        gateways=gateways[:MOST],
        total=len(gateways),
        users=sum(gateway["sessions"] for gateway in gateways),
        cut=sum(gateway.get("cut", 0) for gateway in gateways),
        froms=" / ".join(sorted({str(gateway["from"]) for gateway in gateways})),
        why=str(wave.get("why", "")),
        takes=duration(end.seconds) if end else "",
        ends=duration(end.after) if end else "",
    )
