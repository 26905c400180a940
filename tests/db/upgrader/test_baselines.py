"""What a wave is held against: the collector's own answers, other gateways, and the same hour of other weeks."""

from __future__ import annotations

from typing import Any

from pytest_django import DjangoAssertNumQueries

from fleet.metrics import collect
from fleet.metrics.newest import newest
from fleet.metrics.store import insert
from fleet.models import Gateway, Reading, Sample
from tests.db.upgrader.fronts import strategy, without_nft
from tests.db.upgrader.world import Fleet
from upgrader import plans
from upgrader.models import Rollout, StepRun, Verdict
from upgrader.replay import replay
from upgrader.stored import StoredFor

WEEK = 7 * 86_400
COLUMNS = [column.attname for column in Reading._meta.concrete_fields if column.attname != "id"]


def measure(fleet: Fleet) -> None:
    """The collector asks every gateway now, on the test's clock."""
    collector = collect.Collector()
    for row in Gateway.objects.all():
        collector.look(row, opener=fleet.opener, clock=lambda: fleet.seconds)
    collector.flush()


def said(fleet: Fleet, name: str, at: float, *, span: int = 5, **counts: Any) -> None:
    place = {"gateway_id": Gateway.objects.get(name=name).pk, "span": span, "at": int(at), "slot": 1, "release": "x"}
    insert(Reading, [{**dict.fromkeys(COLUMNS), "seconds": float(span), **place, **counts}], skip=False)


def stored(fleet: Fleet, rollout: Rollout, name: str = "gw-1") -> StoredFor:
    return StoredFor(rollout, Gateway.objects.get(name=name), lambda: fleet.seconds)


def numbers(rollout: Rollout) -> dict[str, Any]:
    found: dict[str, Any] = Verdict.objects.filter(wave__rollout=rollout).latest("at").numbers
    return found


def tally(rollout: Rollout) -> dict[str, Any]:
    step = StepRun.objects.filter(upgrade__wave__rollout=rollout, name="observe").latest("started_at")
    found: dict[str, Any] = step.result["tally"]
    return found


def test_a_fresh_answer_is_told_with_its_sizes(fleet: Fleet) -> None:
    measure(fleet)
    row = Gateway.objects.get(name="gw-1")
    told = newest(row, fleet.seconds + 10)
    assert (told.at, told.slots[1]["release"], told.slots[1]["sessions"]) == (fleet.seconds, "1.1.6-3", 4.0)
    old = newest(row, fleet.seconds + 16)
    assert (old.at, dict(old.slots)) == (0.0, {})


def test_it_takes_two_queries_and_not_the_gateways_facts(
    fleet: Fleet, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    measure(fleet)
    row = Gateway.objects.defer("facts").get(name="gw-1")
    with django_assert_num_queries(2):
        newest(row, fleet.seconds + 5)


def test_a_collector_that_is_off_has_nothing_fresh_and_says_why(fleet: Fleet, settings: Any) -> None:
    measure(fleet)
    settings.COLLECT_SECONDS = 0
    told = newest(Gateway.objects.get(name="gw-1"), fleet.seconds)
    assert (told.at, str(told.standing.fact)) == (0.0, "collector down")


def test_counts_of_other_gateways_leave_out_those_that_are_touched(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.due_step("observe")
    now = fleet.seconds
    for name in fleet.machines:
        said(fleet, name, now - 20, logins=10, failures=2, errors=1, reconnects=3, sessions=12.0)
        said(fleet, name, now - 500, logins=10)
        said(fleet, name, now - 1, logins=10)
    told = stored(fleet, rollout).others(now - 60)
    assert (told.gateways, told.until) == (2, now - 10), "the canary is none of them, and answers come late"
    assert told.rates == {"logins": (24, 4), "session_errors": (22, 2), "reconnects": (2.0, 6)}


def test_weeks_are_the_same_hour_of_those_before(fleet: Fleet) -> None:
    rollout = fleet.draft()
    hour = int(fleet.seconds) // 3600 * 3600
    for weeks in (1, 2, 5):
        said(fleet, "gw-1", hour - weeks * WEEK, span=3600, logins=100, failures=1)
    said(fleet, "gw-1", hour - 86_400, span=3600, logins=100, failures=50)
    assert stored(fleet, rollout).weeks()["logins"] == (202, 2)


def test_a_wave_is_judged_by_what_the_collector_was_told(fleet: Fleet) -> None:
    fleet.watch_for(20)
    rollout = fleet.started()
    fleet.due_step("observe")
    for _ in range(6):
        fleet.turn(1)
        measure(fleet)
    fleet.turn(1)
    assert numbers(rollout)["sources"] == {"collector": 1}
    sources = [values["source"] for values in Sample.objects.order_by("at").values_list("values", flat=True)]
    assert sources[0] == "gateway", "nobody had asked yet"
    assert sources[-1] == "collector"
    fleet.turn(20)
    assert {one["source"] for one in Sample.objects.order_by("-at").values_list("values", flat=True)[:2]} == {"gateway"}
    assert numbers(rollout)["facts"] == {"gw-1": "collector down"}


def test_the_sources_change_and_no_sign_in_is_counted_twice(fleet: Fleet) -> None:
    fleet.watch_for(20)
    rollout = fleet.started()
    fleet.due_step("observe")
    fleet.turn(1)
    place = fleet.machines["gw-1"].machine.slots[2]
    place.logins += 7
    measure(fleet)
    fleet.turn(9)
    # What the slot had counted at the first look belongs to the time before.
    counted = tally(rollout)["rates"]["logins"]["canary"][0]
    assert counted == tally(rollout)["seen"]["2"][0] - Sample.objects.filter(slot=2).earliest("at").values["logins"]


def test_in_place_a_gateway_is_held_against_the_others(fleet: Fleet) -> None:
    without_nft(fleet)
    strategy(fleet, waves=[{"title": "one", "count": 1}, {"title": "rest", "rest": True}])
    fleet.watch_for(20)
    rollout = fleet.started()
    fleet.due_step("observe")
    for _ in range(12):
        fleet.turn(1)
        for name in ("gw-2", "gw-3"):
            said(fleet, name, fleet.seconds, logins=5, failures=1)
    found = numbers(rollout)["metrics"]["logins"]
    assert found["baseline"] == "other gateways at the same time"
    assert found["others"]["tried"] >= 12
    assert found["others"]["failed"] == found["others"]["tried"] // 6


def test_the_strategy_asks_for_other_gateways_and_the_replay_has_them(fleet: Fleet) -> None:
    strategy(fleet, compare="control", waves=[{"title": "one", "count": 1}, {"title": "rest", "rest": True}])
    rollout = fleet.started()
    fleet.due_step("observe")
    for _ in range(15):
        fleet.turn(1)
        said(fleet, "gw-3", fleet.seconds, logins=5, failures=1)
    limits = plans.spec_of(rollout).limits
    assert (limits.compare, numbers(rollout)["compare"]) == ("control", "control")
    (again, *_) = replay(rollout, limits)
    assert again.now.numbers["metrics"]["logins"]["others"] == numbers(rollout)["metrics"]["logins"]["others"]
