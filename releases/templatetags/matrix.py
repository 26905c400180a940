"""`{% matrix_summary release %}`: what the test matrix says of one release, for its page."""

from __future__ import annotations

from typing import Any

from django import template

from releases.matrix import selectors
from releases.matrix.words import VERDICT
from releases.models import MatrixCell, MatrixRun, Release

register = template.Library()


@register.inclusion_tag("releases/_matrix_summary.html")
def matrix_summary(release: Release) -> dict[str, Any]:
    """The last run of each part, with the cells that are not green."""
    rows = [_row(run) for run in selectors.last_runs(release)]
    ran = {row["run"].part for row in rows}
    return {"release": release, "rows": rows, "never": [part for part in selectors.PARTS if part not in ran]}


def _row(run: MatrixRun) -> dict[str, Any]:
    bad = selectors.not_green(run)
    red = any(cell.verdict == MatrixCell.Verdict.RED for cell in bad)
    word = VERDICT["red" if red else "unclear" if bad else "green"]
    return {"run": run, "bad": bad, "word": word}
