"""Two releases beside each other in what was tested of them, and in the options that they read. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.ocgate import options
from fleet.phrases import count
from releases.matrix import selectors as matrix
from releases.models import MatrixCell, Release

NOT_RUN = "not run"
WORST_FIRST = ("red", "unclear", "green")


@dataclass(frozen=True)
class Test:
    """One test of both; `old` and `new` are verdicts, the worse one where a release was tested from several."""

    part: str
    test: str
    old: str
    new: str
    say: str  # of the new one

    @property
    def worse(self) -> bool:
        return self.new == MatrixCell.Verdict.RED and self.old != self.new


def beside(old: Release, new: Release) -> dict[str, Any]:
    """The context of releases/_compare_tests.html."""
    was, becomes = _cells(old), _cells(new)
    tests = _tests(was, becomes)
    changed = [one for one in tests if one.old != one.new]
    before, after = options.known(old.version), options.known(new.version)
    return {
        "tested": [(row.name, _said(cells)) for row, cells in ((old, was), (new, becomes))],
        "changed": sorted(changed, key=lambda one: (not one.worse, one.part, one.test)),
        "same": len(tests) - len(changed),
        "options_gained": sorted(after - before),
        "options_lost": sorted(before - after),
        "measured": (options.measured(old.version), options.measured(new.version)),
    }


Cells = Mapping[tuple[str, str], MatrixCell]


def _cells(release: Release) -> Cells:
    found: dict[tuple[str, str], MatrixCell] = {}
    for run in matrix.last_runs(release):
        for cell in run.cells.all():
            known = found.get((run.part, cell.test))
            if known is None or WORST_FIRST.index(cell.verdict) < WORST_FIRST.index(known.verdict):
                found[run.part, cell.test] = cell
    return found


def _tests(was: Cells, becomes: Cells) -> list[Test]:
    found = []
    for part, test in sorted({*was, *becomes}):
        old, new = was.get((part, test)), becomes.get((part, test))
        verdicts = (str(old.verdict) if old else NOT_RUN, str(new.verdict) if new else NOT_RUN)
        found.append(Test(part, test, *verdicts, say=new.say if new else ""))
    return found


def _said(cells: Cells) -> str:
    if not cells:
        return "no test matrix ran to its end"
    number = {verdict: sum(cell.verdict == verdict for cell in cells.values()) for verdict in WORST_FIRST}
    return f"{count(len(cells), 'test')}: {number['green']} green, {number['red']} red, {number['unclear']} unclear"
