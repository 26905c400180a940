"""What pages and commands read of the matrix. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from releases.matrix import journal
from releases.models import MatrixCell, MatrixRun, Release

S = MatrixRun.State
PARTS = ("static", "functional", "stress")


@dataclass(frozen=True)
class Seen:
    """One cell of the grid, and what it was in the run before."""

    cell: MatrixCell
    before: str  # verdict of the last run before this one that came to its end; "" where there was none

    @property
    def changed(self) -> bool:
        return bool(self.before) and self.before != self.cell.verdict


@dataclass(frozen=True)
class Column:
    """One release, upgraded from another: the last runs of the parts that were run so, and their cells by test."""

    release: Release
    upgraded_from: str
    runs: dict[str, MatrixRun] = field(default_factory=dict)
    cells: dict[tuple[str, str], Seen] = field(default_factory=dict)  # (part, test)


@dataclass(frozen=True)
class Line:
    """One test over all columns."""

    part: str
    test: str
    cells: list[Seen | None]


def last_runs(release: Release) -> list[MatrixRun]:
    """The last run that came to its end, for each part and each release it was upgraded from."""
    latest: dict[tuple[str, str], MatrixRun] = {}
    for run in _runs([release]):
        if run.state == S.DONE:
            latest[run.part, run.upgraded_from] = run
    return sorted(latest.values(), key=lambda run: (PARTS.index(run.part), run.upgraded_from))


def under_way(releases: Iterable[Release]) -> list[MatrixRun]:
    """The runs under way, and those that could not be run to their end since the last that could."""
    last: dict[tuple[int, str, str], MatrixRun] = {}
    for run in _runs(releases):
        last[run.release_id, run.part, run.upgraded_from] = run
    return [run for run in last.values() if run.state != S.DONE]


def not_green(run: MatrixRun) -> list[MatrixCell]:
    return [cell for cell in run.cells.all() if cell.verdict != MatrixCell.Verdict.GREEN]


def columns(releases: Iterable[Release]) -> list[Column]:
    """The grid's columns: the releases in the given order, each with what it was upgraded from.

    Static tests know no older release: they stand in every column of theirs.
    """
    made: dict[tuple[int, str], Column] = {}
    order = list(releases)
    for run in _runs(order):
        if run.state == S.DONE:
            key = (run.release_id, run.upgraded_from)
            column = made.setdefault(key, Column(run.release, run.upgraded_from))
            _put(column, run)
    for (pk, upgraded_from), column in list(made.items()):
        others = [one for (other, name), one in made.items() if other == pk and name]
        if not upgraded_from and others:
            for one in others:
                one.runs.update(column.runs)
                one.cells.update(column.cells)
            del made[pk, upgraded_from]
    ranks = [release.pk for release in order]
    return sorted(made.values(), key=lambda column: (ranks.index(column.release.pk), column.upgraded_from))


def lines(columns: list[Column]) -> list[Line]:
    """The grid's lines: every test that any column has, in the order in which the parts run them."""
    names: dict[tuple[str, str], None] = {}
    for part in PARTS:
        for column in columns:
            names |= {key: None for key in column.cells if key[0] == part}
    return [Line(part, test, [column.cells.get((part, test)) for column in columns]) for part, test in names]


def history(cell: MatrixCell, most: int = 10) -> list[MatrixCell]:
    """The same test of the same release and older release in its last runs, newest first."""
    run = cell.run
    same = MatrixCell.objects.filter(
        test=cell.test,
        run__release=run.release_id,
        run__part=run.part,
        run__upgraded_from=run.upgraded_from,
        run__state=S.DONE,
    )
    return list(same.select_related("run").order_by("-run__started_at")[:most])


def is_silent(run: MatrixRun, now: datetime) -> bool:
    return journal.is_silent(run, now=now)


def _put(column: Column, run: MatrixRun) -> None:
    """Let a newer run take the place of an older one; what changed is remembered."""
    old = {test: seen.cell.verdict for (part, test), seen in column.cells.items() if part == run.part}
    for key in [key for key in column.cells if key[0] == run.part]:
        del column.cells[key]
    column.runs[run.part] = run
    for cell in run.cells.all():
        column.cells[run.part, cell.test] = Seen(cell, old.get(cell.test, ""))


def _runs(releases: Iterable[Release]) -> Iterable[MatrixRun]:
    """All runs of the releases, oldest first, without the logs."""
    chosen = MatrixRun.objects.filter(release__in=list(releases))
    return chosen.select_related("release").prefetch_related("cells").order_by("started_at", "pk")
