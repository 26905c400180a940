"""The matrix's pages: releases × tests, one cell with its curve, and both again as parts that follow a run."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals import people
from approvals.models import User
from releases import selectors as release_selectors
from releases.matrix import charts, selectors
from releases.matrix.words import RUN, VERDICT
from releases.models import MatrixCell, MatrixRun

COLUMNS = 6  # releases on one page


@require_safe
def matrix(request: HttpRequest) -> HttpResponse:
    """Releases × tests; htmx asks for the part alone while a run goes on."""
    part = request.headers.get("HX-Target") == "matrix"
    template = "releases/_matrix_now.html" if part else "releases/matrix.html"
    return render(request, template, grid(people.person(request), request.GET.get("page")))


@require_safe
def matrix_cell(request: HttpRequest, cell_id: int) -> HttpResponse:
    """One test's result: sentence, curve, numbers, what it was before, log."""
    cell = _cell(request, cell_id)
    past = selectors.history(cell)
    context = {
        "cell": cell,
        "run": cell.run,
        "word": VERDICT[cell.verdict],
        "curve": charts.has_curve(cell.numbers),
        "table": table(cell),
        "numbers": plain_numbers(cell),
        "past": [{"cell": one, "word": VERDICT[one.verdict], "here": one.pk == cell.pk} for one in past],
    }
    return render(request, "releases/matrix_cell.html", context)


@require_safe
def matrix_chart(request: HttpRequest, cell_id: int) -> HttpResponse:
    """The curve of a cell as JSON for static/js/charts.js."""
    cell = _cell(request, cell_id)
    if not charts.has_curve(cell.numbers):
        return JsonResponse({"figure": None, "say": cell.say, "empty": True})
    run = cell.run
    figure = charts.figure(cell.test, cell.numbers, new=run.release.name, old=run.upgraded_from)
    return JsonResponse({"figure": figure, "say": cell.say, "empty": False}, headers={"Cache-Control": "no-store"})


def grid(user: User, page: str | None) -> dict[str, Any]:
    """The context of _matrix_now.html."""
    ran = MatrixRun.objects.filter(release=OuterRef("pk"))
    tested = release_selectors.releases_for(user).filter(Exists(ran)).order_by("-counter", "name")
    chosen = Paginator(tested, COLUMNS).get_page(page)
    columns = selectors.columns(chosen.object_list)
    open_ = [_open(run) for run in selectors.under_way(chosen.object_list)]
    return {
        "page": chosen,
        "columns": [{"column": column, "at": _last(column)} for column in columns],
        "lines": [_line(line) for line in selectors.lines(columns)],
        "open": open_,
        "every": "2s" if any(one["run"].state == MatrixRun.State.RUNNING for one in open_) else "15s",
    }


def _line(line: selectors.Line) -> dict[str, Any]:
    cells = [{"seen": seen, "word": VERDICT[seen.cell.verdict if seen else ""]} for seen in line.cells]
    return {"part": line.part, "test": line.test, "cells": cells}


def _last(column: selectors.Column) -> Any:
    return max((run.ended_at for run in column.runs.values() if run.ended_at), default=None)


def _open(run: MatrixRun) -> dict[str, Any]:
    silent = selectors.is_silent(run, timezone.now())
    word = RUN["silent" if silent else run.state]
    say = run.say or str(run.progress.get("say", ""))
    done, total = int(run.progress.get("done", 0)), int(run.progress.get("total", 0))
    return {"run": run, "word": word, "say": say, "done": done, "total": total}


def table(cell: MatrixCell) -> list[tuple[float, float, float]]:
    """The pairs that the curve shows, in the order in which they were measured: number, new, old."""
    if not charts.has_curve(cell.numbers):
        return []
    across = cell.numbers.get("x") or range(1, len(cell.numbers["new"]) + 1)
    return list(zip(across, cell.numbers["new"], cell.numbers["old"], strict=True))


SAID = {"low": "at least", "middle": "most likely", "high": "at most", "most": "allowed"}


def plain_numbers(cell: MatrixCell) -> dict[str, Any]:
    """The numbers that are no measurements, those of an interval by what they mean."""
    return {
        SAID.get(name, name.replace("_", " ")): _number(value) if isinstance(value, float) else value
        for name, value in cell.numbers.items()
        if isinstance(value, int | float | str) and name != "kind"
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def _cell(request: HttpRequest, cell_id: int) -> MatrixCell:
    seen = release_selectors.releases_for(people.person(request))
    return get_object_or_404(
        MatrixCell.objects.select_related("run__release").filter(run__release__in=seen.values("pk")), pk=cell_id
    )
