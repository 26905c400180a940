"""What the pages of strategies read: one version as it is written and drawn, and a text that is being written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from approvals.models import User
from fleet.drift import unified
from fleet.selectors import visible_pools
from upgrader import selectors, strategy_drawing, strategy_store, strategy_text
from upgrader.models import Strategy
from upgrader.strategy import SpecError, parse_spec
from upgrader.strategy_drawing import Drawing

MOST = 200
LINES = 2_000


@dataclass(frozen=True)
class Line:
    number: int
    text: str
    wrong: bool


@dataclass(frozen=True)
class Checked:
    """A text that is being written: its drawing, or the line that is wrong; and what it would change."""

    name: str
    text: str
    error: str
    line: int  # of the error; 0 without one
    drawing: Drawing | None
    newest: Strategy | None  # version of the same name that it would follow
    diff: str

    @property
    def near(self) -> list[Line]:
        """The wrong line with those around it."""
        return [line for line in lines(self.text, self.line) if abs(line.number - self.line) <= 2]

    @property
    def version(self) -> int:
        return self.newest.version + 1 if self.newest else 1

    @property
    def same(self) -> bool:
        return self.newest is not None and not self.diff and self.newest.retired_at is None


def may_see(user: User) -> bool:
    """Strategies name gateways: who sees no pool sees none of them."""
    return strategy_store.may(user) or visible_pools(user).exists()


def lines(text: str, wrong: int = 0) -> list[Line]:
    return [Line(number, line, number == wrong) for number, line in enumerate(text.splitlines()[:LINES], start=1)]


def source(row: Strategy) -> str:
    return row.source or strategy_text.write(row.title, row.spec)


def checked(name: str, text: str) -> Checked:
    """Look at a text without keeping anything."""
    newest = strategy_store.newest_of(name)
    diff = unified(source(newest), text) if newest else ""
    try:
        drawing = strategy_drawing.of_spec(strategy_text.read(text).spec)
    except strategy_text.TextError as wrong:
        return Checked(name, text, str(wrong), wrong.line, None, newest, diff)
    return Checked(name, text, "", 0, drawing, newest, diff)


def page(row: Strategy, user: User) -> dict[str, Any]:
    """Everything that the page of one version shows."""
    versions = list(Strategy.objects.filter(name=row.name).select_related("added_by")[:MOST])
    before = next((other for other in versions if other.version < row.version), None)
    return {
        "row": row,
        "versions": versions,
        "newest": versions[0],
        "before": before,
        "diff": unified(source(before), source(row)) if before else "",
        "lines": lines(source(row)),
        "used": selectors.rollouts_for(user).filter(strategy=row)[:20],
        "may_add": strategy_store.may(user),
        **_drawn(row),
    }


def _drawn(row: Strategy) -> dict[str, Any]:
    try:
        return {"drawing": strategy_drawing.of_spec(parse_spec(row.spec))}
    except SpecError as unreadable:
        return {"unreadable": f"This version can't be read any more: {unreadable}"}


def rows() -> list[dict[str, Any]]:
    """The newest version of each strategy with how often any version was used; retired ones last."""
    newest: dict[str, Strategy] = {}
    for row in Strategy.objects.order_by("name", "-version").select_related("added_by"):
        newest.setdefault(row.name, row)
    told = [{"row": row, **_drawn(row)} for row in newest.values()]
    return sorted(told, key=lambda one: (one["row"].retired_at is not None, one["row"].title))
