"""`manage.py matrix`: runs parts, shows cells, exits with 2 where something is not green."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from releases.models import MatrixRun
from tests.db.releases.cast import take_in, trust
from tests.unit.matrix.bench import bench_with, opener
from tests.unit.releases import desk

pytestmark = pytest.mark.django_db
LI = desk.key("li")
good_bench = opener(bench_with())
bad_bench = opener(bench_with("routes"))


@pytest.fixture(autouse=True)
def _releases(tmp_path: Path) -> None:
    trust("li")
    take_in(desk.release(tmp_path / "old", LI, release="1.1.6-3", version="1.1.6", counter=1001006))
    take_in(desk.release(tmp_path / "new", LI))


def run(*words: str) -> str:
    out = StringIO()
    call_command("matrix", *words, stdout=out)
    return out.getvalue()


def test_shows_progress_and_cells(settings: Any) -> None:
    settings.MATRIX_BENCH = f"{__name__}.good_bench"
    said = run("run", "1.3.0-2", "--part", "functional")
    assert "functional tests of 1.3.0-2, upgraded from 1.1.6-3" in said
    assert "[1/18] password\ngreen    password: In with password" in said
    assert "  green    IPv6: 5 of 5 IPv6 packets" in run("show", "1.3.0-2")


def test_not_green_is_told_by_the_exit_code(settings: Any) -> None:
    settings.MATRIX_BENCH = f"{__name__}.bad_bench"
    with pytest.raises(CommandError, match="not green everywhere") as failed:
        run("run", "1.3.0-2", "--part", "functional", "--from", "1.1.6-3")
    assert failed.value.returncode == 2
    assert MatrixRun.objects.get().cells.filter(verdict="red").get().test == "DNS and routes"


def test_what_can_not_be_run_is_a_sentence() -> None:
    with pytest.raises(CommandError, match="No release is called 9.9"):
        run("run", "9.9")
    with pytest.raises(CommandError, match="can't be compared with itself"):
        run("run", "1.3.0-2", "--part", "stress", "--from", "1.3.0-2")
    assert "was not run yet" in run("show", "1.3.0-2")
