"""A run's rows from its begin to its end, with a bench in memory; what stops it is told from what it finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent
from releases.matrix import journal, selectors, services, static, stress
from releases.matrix.functional import TESTS
from releases.matrix.ports import green, red
from releases.models import MatrixCell, MatrixRun, Release
from tests.db.releases.cast import NOW, OLA, take_in, trust
from tests.unit.matrix.bench import bench_with, opener
from tests.unit.releases import desk

pytestmark = pytest.mark.django_db
S = MatrixRun.State
SMALL = stress.Load(users=2, rounds=2, bursts=1, rate=1000, hold=0)
LI = desk.key("li")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Release, Release]:
    """The new release and the old one."""
    trust("li")
    old = desk.release(tmp_path / "old", LI, release="1.1.6-3", version="1.1.6", counter=1001006)
    return take_in(desk.release(tmp_path / "new", LI)), take_in(old)


def run(wish: services.Wish, opened: Callable[..., Any], now: datetime = NOW) -> MatrixRun:
    return services.run(wish, opener=opened, actor=OLA, clock=lambda: now, say=lambda _: None)


def verdicts(row: MatrixRun) -> dict[str, str]:
    return dict(row.cells.values_list("test", "verdict"))


def test_functional_run_keeps_a_cell_a_test(pair: tuple[Release, Release]) -> None:
    row = run(services.Wish(pair[0], "functional", old=pair[1]), opener(bench_with("certificate")))
    assert (row.state, row.upgraded_from, row.ended_at) == (S.DONE, "1.1.6-3", NOW)
    assert verdicts(row) == {**dict.fromkeys(TESTS, "green"), "certificate": "red"}
    assert row.versions == {"openconnect": "9.01 and 9.21", "place": "memory"}
    assert row.say == f"{len(TESTS) - 1} green, 1 red"


def test_run_is_in_the_record_with_who_and_what(pair: tuple[Release, Release]) -> None:
    row = run(services.Wish(pair[0], "functional", old=pair[1]), opener(bench_with()))
    events = AuditEvent.objects.filter(verb__startswith="matrix.").order_by("seq")
    assert [(event.verb, event.actor, event.subject) for event in events] == [
        ("matrix.began", "ola", f"release:{pair[0].pk}"),
        ("matrix.done", "ola", f"release:{pair[0].pk}"),
    ]
    assert str(row.pk) in events[0].body


def test_stress_run_keeps_the_samples(pair: tuple[Release, Release]) -> None:
    row = run(services.Wish(pair[0], "stress", old=pair[1], load=SMALL), opener(bench_with()))
    cell = row.cells.get(test="time to log in")
    assert len(cell.numbers["new"]) == len(cell.numbers["old"]) == SMALL.users * SMALL.rounds


def test_static_run_of_a_damaged_program_is_not_green(pair: tuple[Release, Release]) -> None:
    row = run(services.Wish(pair[0], "static"), opener(bench_with(), broken="not asked"))
    assert set(verdicts(row)) == set(static.TESTS)
    assert verdicts(row)["integrity"] == "red"
    assert {verdicts(row)[name] for name in static.ABOUT_PROGRAMS} == {"unclear"}
    assert row.upgraded_from == ""


def test_bench_that_breaks_is_no_verdict(pair: tuple[Release, Release]) -> None:
    wish = services.Wish(pair[0], "functional", old=pair[1])
    row = run(wish, opener(bench_with(), broken="The lab must run as root."))
    assert (row.state, row.say) == (S.FAILED, "The lab must run as root.")
    assert not row.cells.exists()
    assert AuditEvent.objects.filter(verb="matrix.failed").count() == 1


def test_release_that_goes_down_is_red(pair: tuple[Release, Release]) -> None:
    row = run(services.Wish(pair[0], "stress", old=pair[1], load=SMALL), opener(bench_with("down")))
    assert (row.state, verdicts(row)) == (S.DONE, {"upgrade": "red"})


def test_bug_ends_the_run_and_is_seen(pair: tuple[Release, Release], monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(_: Any) -> None:
        raise ZeroDivisionError("half a test")

    monkeypatch.setitem(TESTS, "password", bug)
    with pytest.raises(ZeroDivisionError):
        run(services.Wish(pair[0], "functional", old=pair[1]), opener(bench_with()))
    row = MatrixRun.objects.get()
    assert (row.state, row.say) == (S.FAILED, "It was stopped: ZeroDivisionError half a test")


def test_refuses_what_can_not_be_compared(pair: tuple[Release, Release]) -> None:
    for old, words in ((None, "no release that 1.3.0-2 could be compared with"), (pair[0], "with itself")):
        with pytest.raises(Refused, match=words):
            run(services.Wish(pair[0], "functional", old=old), opener(bench_with()))
    assert not MatrixRun.objects.exists()


def test_two_at_once_are_refused(pair: tuple[Release, Release]) -> None:
    begun = journal.begin(pair[0], part="stress", upgraded_from="1.1.6-3", actor=OLA, now=NOW)
    with pytest.raises(Refused, match="The stress tests of 1.3.0-2 run since"):
        run(services.Wish(pair[0], "stress", old=pair[1]), opener(bench_with()))
    assert MatrixRun.objects.get() == begun


def test_killed_run_is_buried_by_the_next(pair: tuple[Release, Release]) -> None:
    dead = journal.begin(pair[0], part="stress", upgraded_from="1.1.6-3", actor=OLA, now=NOW)
    journal.tell(dead, "round 3 of 14", 2, 14, now=NOW + timedelta(seconds=30))
    later = NOW + timedelta(seconds=31) + journal.SILENT
    journal.begin(pair[0], part="stress", upgraded_from="1.1.6-3", actor=OLA, now=later)
    dead.refresh_from_db()
    assert dead.state == S.FAILED
    assert "'round 3 of 14'" in dead.say


def test_nothing_happens_to_a_run_that_has_ended(pair: tuple[Release, Release]) -> None:
    row = journal.begin(pair[0], part="static", upgraded_from="", actor=OLA, now=NOW)
    journal.found(row, "integrity", green("41 files."), seconds=0.1)
    journal.finish(row, versions={}, actor=OLA, now=NOW)
    journal.fail(row, "too late", actor=OLA, now=NOW)
    journal.tell(row, "too late", 1, 2, now=NOW)
    row.refresh_from_db()
    assert (row.state, row.say, row.progress["say"]) == (S.DONE, "1 green", "starting")
    assert AuditEvent.objects.filter(verb__startswith="matrix.").count() == 2


def test_only_the_end_of_a_long_log_is_kept(pair: tuple[Release, Release]) -> None:
    row = journal.begin(pair[0], part="static", upgraded_from="", actor=OLA, now=NOW)
    cell = journal.found(row, "integrity", red("Bad.", "a\x00" + "ü" * 40_000 + "end"), seconds=0.1)
    assert len(cell.log.encode()) <= journal.LOG_MOST
    assert cell.log.endswith("end")


def test_usual_old_is_what_most_gateways_run(pair: tuple[Release, Release]) -> None:
    assert services.usual_old(pair[0]) == pair[1]
    assert services.usual_old(pair[1]) is None


def ran(release: Release, old: str, at: datetime, **cells: str) -> MatrixRun:
    """A run that has ended, with cells of these verdicts."""
    actor = Actor.machine("test")
    row = journal.begin(release, part="functional", upgraded_from=old, actor=actor, now=at)
    for test, verdict in cells.items():
        MatrixCell.objects.create(run=row, test=test, verdict=verdict, say=f"{test}.")
    return journal.finish(row, versions={}, actor=actor, now=at)


def test_grid_shows_the_last_runs_and_what_changed(pair: tuple[Release, Release]) -> None:
    new, old = pair
    ran(new, "1.1.6-3", NOW, password="green", reload="red")
    ran(new, "1.1.6-3", NOW + timedelta(hours=1), password="green", reload="green")
    ran(new, "1.2.0-1", NOW, password="red")
    columns = selectors.columns([new, old])
    assert [(column.release, column.upgraded_from) for column in columns] == [(new, "1.1.6-3"), (new, "1.2.0-1")]
    lines = {line.test: line.cells for line in selectors.lines(columns)}
    first, second = lines["reload"]
    assert first is not None
    assert (first.cell.verdict, first.before, first.changed) == ("green", "red", True)
    assert second is None
    assert [cell.verdict for cell in selectors.history(first.cell)] == ["green", "red"]


def test_static_cells_stand_in_each_column(pair: tuple[Release, Release]) -> None:
    row = journal.begin(pair[0], part="static", upgraded_from="", actor=OLA, now=NOW)
    journal.found(row, "hardening", green("Hard."), seconds=0)
    journal.finish(row, versions={}, actor=OLA, now=NOW)
    ran(pair[0], "1.1.6-3", NOW, password="green")
    (column,) = selectors.columns([pair[0]])
    assert set(column.cells) == {("static", "hardening"), ("functional", "password")}
