"""Windows, freezes and budgets on their page: frozen by one, everything else asked by one and decided by another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals import changes
from approvals.models import Actor, AuditEvent, Request, User
from approvals.windows import DAYS
from fleet.models import Pool
from releases.models import Release
from tests import factories
from tests.web.conftest import assert_clean
from upgrader import bound_pages
from upgrader.models import Budget, Freeze, Rollout, Window

Browse = Callable[[str], Client]
NIGHTS: dict[str, Any] = {
    "title": "Nights",
    "zone": "Europe/Berlin",
    "from": "22:00",
    "until": "04:00",
    "days-0": ["mon", "tue", "wed", "thu", "fri"],
    "why": "Users sleep",
}
TIGHT = {"gateways_percent": "10", "sessions": "200", "rollback_gateways": "3", "why": "The fair"}


@pytest.fixture
def eu(people: dict[str, User]) -> Pool:
    factories.fleet()
    return factories.pool()


@pytest.fixture
def frozen(eu: Pool, people: dict[str, User]) -> Freeze:
    now = timezone.now()
    return Freeze.objects.create(pool=eu, reason="The fair.", starts_at=now, made_by=people["oncall"], made_at=now)


def answer(people: dict[str, User], request: Request, *, yes: bool = True, who: str = "oncall") -> None:
    by = people[who]
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    changes.decide(request, by=by, actor=actor, now=timezone.now(), yes=yes, reason="so", digest=request.digest)


def text(page: Any) -> str:
    assert_clean(page)
    return " ".join(page.content.decode().split())


def test_everybody_sees_the_bounds_of_the_pools_that_he_sees(browse: Browse, eu: Pool) -> None:
    Pool.objects.create(name="elsewhere")
    page = text(browse("operator").get("/bounds/"))
    assert "The whole fleet" in page
    assert "eu-west" in page
    assert "elsewhere" not in page
    assert "of 4 gateways of the fleet may be out (25 %); 0 now" in page
    assert "elsewhere" in text(browse("auditor").get("/bounds/"))


def test_who_may_only_look_gets_no_buttons(browse: Browse, eu: Pool, frozen: Freeze) -> None:
    page = text(browse("auditor").get("/bounds/"))
    assert "The fair." in page
    assert "<form method" not in page.partition("<main")[2].partition("</main")[0]


def test_one_person_freezes_at_once_and_it_is_on_record(browse: Browse, eu: Pool) -> None:
    page = browse("operator").post(f"/bounds/{eu.pk}/freeze/", {"why": "The fair in Hanover.", "hours": "24"})
    assert (page.status_code, page["Location"]) == (302, "/bounds/")
    row = Freeze.objects.get()
    assert (row.pool, row.made_by.username, row.ends_at) == (eu, "operator", row.starts_at + timedelta(hours=24))
    event = AuditEvent.objects.get(verb="freeze.begun")
    assert (event.actor, event.subject, event.reason) == ("operator", f"pool:{eu.pk}", "The fair in Hanover.")
    assert "eu-west is frozen until" in text(browse("auditor").get("/bounds/"))


def test_the_same_freeze_twice_is_one(browse: Browse, eu: Pool) -> None:
    for hours in ("0", "0", "24", "24"):
        browse("operator").post(f"/bounds/{eu.pk}/freeze/", {"why": "The fair.", "hours": hours})
    assert Freeze.objects.count() == AuditEvent.objects.filter(verb="freeze.begun").count() == 2


def test_a_freeze_of_the_fleet_may_begin_later(browse: Browse, eu: Pool) -> None:
    said = {"why": "New year.", "starts_at": "2030-12-31T18:00", "hours": "12"}
    browse("oncall").post("/bounds/0/freeze/", said)
    row = Freeze.objects.get()
    assert (row.pool, f"{row.starts_at:%Y-%m-%d %H:%M %Z}") == (None, "2030-12-31 18:00 UTC")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"why": " "}, "Say why"),
        ({"why": "x", "hours": "many"}, "is no whole number"),
        ({"why": "x", "starts_at": "tomorrow"}, "is no moment"),
        ({"why": "x", "starts_at": "2020-01-01T10:00", "hours": "4"}, "would be over before it begins"),
    ],
)
def test_a_freeze_that_makes_no_sense_is_refused(browse: Browse, eu: Pool, said: dict[str, str], why: str) -> None:
    page = browse("operator").post(f"/bounds/{eu.pk}/freeze/", said)
    assert page.status_code == 409
    assert why in text(page)
    assert not Freeze.objects.exists()


def test_a_freeze_is_lifted_by_two(browse: Browse, people: dict[str, User], frozen: Freeze) -> None:
    page = browse("operator").post(f"/bounds/freezes/{frozen.pk}/lift/", {"why": "It is over"})
    request = Request.objects.get()
    assert page["Location"] == f"/changes/{request.pk}/"
    assert Freeze.objects.filter(lifted_at=None).exists()
    assert "Lift the freeze of eu-west" in text(browse("oncall").get("/bounds/"))
    answer(people, request)
    frozen.refresh_from_db()
    assert frozen.lifted_at is not None
    assert AuditEvent.objects.get(verb="freeze.lifted").actor == "oncall"
    again = browse("operator").post(f"/bounds/freezes/{frozen.pk}/lift/", {"why": "It is over"})
    assert "This freeze was lifted already." in text(again)


def test_a_window_binds_when_another_agreed(browse: Browse, people: dict[str, User], eu: Pool) -> None:
    browse("operator").post(f"/bounds/{eu.pk}/window/", NIGHTS)
    assert not Window.objects.exists()
    request = Request.objects.get()
    assert request.summary["lines"][0] == "Open Mon to Fri 22:00 to 04:00, Europe/Berlin."
    answer(people, request)
    row = Window.objects.get()
    assert (row.pool, row.made_by.username, row.rules[0]["from"]) == (eu, "operator", "22:00")
    assert AuditEvent.objects.get(verb="window.set").actor == "oncall"
    page = text(browse("auditor").get("/bounds/"))
    assert "Open Mon to Fri 22:00 to 04:00, Europe/Berlin." in page
    assert " UTC)" in page


def test_days_are_those_of_the_windows_zone_and_not_of_utc(people: dict[str, User], eu: Pool) -> None:
    at = timezone.now()
    rules = [{"days": ["mon"], "from": "00:00", "until": "02:00"}]
    about = {"made_by": people["operator"], "made_at": at, "rules": rules}
    Window.objects.create(pool=eu, title="Early", zone="Europe/Berlin", **about)
    place = bound_pages.places(people["auditor"], now=datetime(2026, 11, 22, 23, 30, tzinfo=UTC))[1]
    first = place.days[0]
    assert (first.weekday, first.number, first.say) == ("Mo", 23, "Mon 23 Nov: open 00:00 to 02:00")
    assert [(bar.start, bar.width) for bar in first.opens] == [(0, 8.3)]
    assert place.openings[0] == "Mon 23 Nov 00:30 to 02:00 Europe/Berlin (Sun 22 Nov 23:30 to Mon 01:00 UTC)"
    assert place.say == "Rollouts may begin now; it closes at 02:00 Europe/Berlin (in 1 h 30 min)."


def test_a_day_on_which_the_clocks_change_is_as_long_as_it_is(people: dict[str, User], eu: Pool) -> None:
    rules = [{"days": list(DAYS), "from": "00:00", "until": "12:00"}]
    about = {"made_by": people["operator"], "made_at": timezone.now(), "rules": rules}
    Window.objects.create(pool=eu, title="Mornings", zone="Europe/Berlin", **about)
    place = bound_pages.places(people["auditor"], now=datetime(2026, 10, 24, 12, 0, tzinfo=UTC))[1]
    assert [day.opens[0].width for day in place.days[:3]] == [50, 52, 50]


def test_a_changed_window_takes_the_place_of_the_old_one(browse: Browse, people: dict[str, User], eu: Pool) -> None:
    browse("operator").post(f"/bounds/{eu.pk}/window/", NIGHTS)
    answer(people, Request.objects.get())
    old = Window.objects.get()
    browse("operator").post(f"/bounds/{eu.pk}/window/", NIGHTS | {"window": str(old.pk), "until": "05:00"})
    answer(people, Request.objects.get(state="open"))
    assert [row.rules[0]["until"] for row in Window.objects.filter(ended_at=None)] == ["05:00"]
    browse("operator").post(f"/bounds/windows/{old.pk}/end/", {"why": "again"})
    assert not Request.objects.filter(state="open").exists()


def test_the_last_window_is_ended_by_two_and_the_request_warns(
    browse: Browse, people: dict[str, User], eu: Pool
) -> None:
    browse("operator").post(f"/bounds/{eu.pk}/window/", NIGHTS)
    answer(people, Request.objects.get())
    browse("operator").post(f"/bounds/windows/{Window.objects.get().pk}/end/", {"why": "We are brave"})
    request = Request.objects.get(state="open")
    assert request.summary["warning"] == "It is the last one of eu-west: rollouts may begin at all times then."
    answer(people, request)
    assert Window.objects.get().ended_at is not None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"zone": "Europe/Berlim"}, "There is no time zone"),
        ({"days-0": []}, "The days of a rule are"),
        ({"from": "4 pm"}, "A time of day is 00:00 to 24:00"),
        ({"title": ""}, "Give the window a name."),
    ],
)
def test_a_window_that_can_not_be_read_is_not_even_asked(
    browse: Browse, eu: Pool, wrong: dict[str, Any], why: str
) -> None:
    page = browse("operator").post(f"/bounds/{eu.pk}/window/", NIGHTS | wrong)
    assert page.status_code == 409
    assert why in text(page)
    assert not Request.objects.exists()


def test_a_budget_counts_when_another_agreed(browse: Browse, people: dict[str, User], eu: Pool) -> None:
    browse("operator").post(f"/bounds/{eu.pk}/budget/", TIGHT)
    request = Request.objects.get()
    assert not Budget.objects.filter(pool=eu).exists()
    answer(people, request)
    row = Budget.objects.get(pool=eu)
    assert (row.gateways_percent, row.sessions, row.rollback_gateways) == (10, 200, 3)
    assert AuditEvent.objects.get(verb="budget.set").actor == "oncall"
    again = browse("operator").post(f"/bounds/{eu.pk}/budget/", TIGHT)
    assert "The budget of eu-west is so already." in text(again)


def test_a_no_changes_nothing(browse: Browse, people: dict[str, User], eu: Pool) -> None:
    browse("operator").post("/bounds/0/budget/", TIGHT)
    answer(people, Request.objects.get(), yes=False)
    assert Budget.objects.get(pool=None).gateways_percent == 25


@pytest.mark.parametrize("when", [{"starts_at": "9999-12-31T23:00"}, {"hours": "999999999"}, {"hours": "90000"}])
def test_a_freeze_beyond_the_clocks_of_the_zones_is_refused(browse: Browse, eu: Pool, when: dict[str, str]) -> None:
    page = browse("operator").post(f"/bounds/{eu.pk}/freeze/", {"why": "The fair."} | when)
    assert (page.status_code, Freeze.objects.count()) == (409, 0)
    assert "Leave its end open instead." in text(page)


def test_the_budgets_row_is_taken_before_the_tail_of_the_record(
    browse: Browse, people: dict[str, User], eu: Pool, django_assert_max_num_queries: Any
) -> None:
    browse("operator").post("/bounds/0/budget/", TIGHT)
    with django_assert_max_num_queries(60) as asked:
        answer(people, Request.objects.get())
    said = [query["sql"] for query in asked.captured_queries]
    rows, tail = (next(n for n, sql in enumerate(said) if name in sql) for name in ("upgrader_budget", "seq DESC"))
    assert rows < tail


@pytest.mark.parametrize("path", ["freeze", "window", "budget"])
def test_without_the_right_nothing_is_done_or_asked(browse: Browse, eu: Pool, path: str) -> None:
    page = browse("auditor").post(f"/bounds/{eu.pk}/{path}/", NIGHTS | TIGHT)
    assert page.status_code == 409
    assert "You may not" in text(page)
    assert not Request.objects.exists()
    assert not Freeze.objects.exists()


@pytest.mark.parametrize("path", ["freeze", "window", "budget"])
def test_a_pool_that_one_may_not_see_is_none(browse: Browse, eu: Pool, path: str) -> None:
    hidden = Pool.objects.create(name="hidden")
    assert browse("operator").post(f"/bounds/{hidden.pk}/{path}/", NIGHTS | TIGHT).status_code == 404


@pytest.mark.parametrize("path", ["{0}/freeze", "{0}/window", "{0}/budget", "freezes/{1}/lift", "windows/1/end"])
def test_what_changes_something_is_posted(browse: Browse, frozen: Freeze, path: str) -> None:
    assert browse("operator").get(f"/bounds/{path.format(frozen.pool_id, frozen.pk)}/").status_code == 405


def test_programs_read_the_same(browse: Browse, frozen: Freeze) -> None:
    fleet, pool = browse("auditor").get("/api/bounds/").json()["places"]
    assert (fleet["pool"], fleet["state"]) == (None, "open")
    assert (pool["pool"], pool["state"]) == ("eu-west", "frozen")
    assert pool["freezes"][0]["reason"] == "The fair."
    assert fleet["used"][0]["most"] == 1


def test_an_emergency_is_shouted_about_on_every_page(browse: Browse, people: dict[str, User], frozen: Freeze) -> None:
    made = factories.draft(people["operator"])
    made.strategy.spec = made.strategy.spec | {"emergency": True}
    made.strategy.save()
    plan = made.plan | {"passes": [frozen.pk], "spec": made.plan["spec"] | {"emergency": True}}
    request = factories.ask(made, people["operator"])
    factories.answer(request, people["oncall"], yes=True, reason="", at=timezone.now())
    Rollout.objects.filter(pk=made.pk).update(state="upgrading", plan=plan)
    say = "goes on through the freeze of eu-west: The fair. Approved by oncall."
    assert all(say in text(browse("operator").get(path)) for path in ("/", "/gateways/", "/bounds/"))
    assert say not in text(browse("stranger").get("/bounds/"))
    Freeze.objects.update(lifted_at=timezone.now())
    assert say not in text(browse("operator").get("/"))


def test_the_form_and_the_rollout_say_what_will_make_it_wait(
    browse: Browse, people: dict[str, User], frozen: Freeze
) -> None:
    factories.release()
    factories.strategy()
    say = "eu-west is frozen until somebody lifts it, by oncall: The fair. It may be approved now and begins by itself"
    assert say in text(browse("operator").get(f"/rollouts/new/?pool={frozen.pool_id}"))
    made = factories.draft(people["operator"], to=Release.objects.get())
    assert say in text(browse("operator").get(f"/rollouts/{made.pk}/"))
    assert say in text(browse("oncall").get(f"/decisions/{made.pk}/"))


@pytest.mark.parametrize("second", ["01:00", ""])
def test_a_time_stays_until_it_is_emptied(browse: Browse, people: dict[str, User], eu: Pool, second: str) -> None:
    times = {"from": ["22:00", second], "until": ["04:00", second and "05:30"], "days-1": ["sun"]}
    browse("operator").post(f"/bounds/{eu.pk}/window/", NIGHTS | times)
    rules = Request.objects.get().summary["payload"]["rules"]
    kept = [(NIGHTS["days-0"], "22:00"), (["sun"], second)]
    assert [(rule["days"], rule["from"]) for rule in rules] == kept[: 1 + bool(second)]
