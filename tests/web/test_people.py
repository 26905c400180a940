"""The page People, and roles given and taken there."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from approvals import people_journal, rights
from approvals.models import Actor, AuditEvent, Request, User
from approvals.roles import EVERYTHING
from tests.factories import NOON, pool
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
MACHINE = Actor.machine("tests")


@pytest.fixture
def bosses(people: dict[str, User]) -> list[User]:
    for name in ("operator", "oncall"):
        people_journal.give(people[name], "administrator", EVERYTHING, actor=MACHINE, now=NOON, why="The first ones.")
    return [people["operator"], people["oncall"]]


def form(role: str, scope: str = "", why: str = "Joins the night team.") -> dict[str, str]:
    return {"role": role, "scope": scope or f"pool:{pool().pk}", "why": why}


def test_giving_and_taking_a_role(browse: Browse, bosses: list[User], people: dict[str, User]) -> None:
    ann, desk = people["stranger"], browse("operator")
    path = f"/people/{ann.pk}/"
    assert desk.post(f"{path}give/", form("viewer"))["Location"] == path
    page = desk.get(path)
    assert_clean(page)
    assert "Joins the night team." in page.content.decode()
    assert rights.may(ann, "fleet.view_pool", f"pool:{pool().pk}")
    assert desk.post(f"{path}take/", form("viewer"))["Location"] == path
    assert not rights.may(ann, "fleet.view_pool", f"pool:{pool().pk}")
    again = desk.post(f"{path}take/", form("viewer"))
    assert (again.status_code, AuditEvent.objects.filter(verb="role.taken").count()) == (409, 1)
    assert AuditEvent.objects.get(verb="role.given", subject=f"person:{ann.pk}").actor == "operator"


def test_the_power_to_approve_waits_for_the_other(browse: Browse, bosses: list[User], people: dict[str, User]) -> None:
    ann = people["stranger"]
    answer = browse("operator").post(f"/people/{ann.pk}/give/", form("oncall"))
    asked = Request.objects.get(kind="role.give")
    assert answer["Location"] == f"/changes/{asked.pk}/"
    assert "May approve a rollout." in browse("oncall").get(f"/changes/{asked.pk}/").content.decode()
    browse("oncall").post(f"/changes/{asked.pk}/approve/", {"digest": asked.digest})
    assert rights.may(ann, "fleet.approve_rollout", f"pool:{pool().pk}")


def test_what_is_refused(browse: Browse, bosses: list[User], people: dict[str, User]) -> None:
    path, other = f"/people/{people['stranger'].pk}/give/", f"/people/{bosses[1].pk}/give/"
    nameless = browse("operator").post(path, form("viewer", why=" "))
    powerless = browse("auditor").post(other, form("viewer"))
    assert [nameless.status_code, powerless.status_code, browse("operator").get(path).status_code] == [409, 409, 405]
    assert "Say why" in nameless.content.decode()
    assert "you lack the right" in powerless.content.decode()
    assert not AuditEvent.objects.filter(verb="role.given", actor__in=("operator", "auditor")).exists()


def test_who_holds_nothing_sees_himself_and_whom_to_ask(browse: Browse, bosses: list[User]) -> None:
    page = browse("stranger").get("/people/").content.decode()
    assert "You hold no role. oncall, operator may give you one." in page
    assert ">auditor<" not in page
    assert browse("stranger").get(f"/people/{bosses[0].pk}/").status_code == 404


def test_the_first_administrators_are_made_at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ada", "ben"):
        monkeypatch.setattr(sys, "stdin", io.StringIO("a-long-enough-phrase\n"))
        call_command("people", "first", name, stdout=io.StringIO())
    with pytest.raises(CommandError, match="ada and ben are administrators"):
        call_command("people", "first", "cem", stdout=io.StringIO())
    out = io.StringIO()
    call_command("people", "list", stdout=out)
    assert out.getvalue().splitlines() == [f"{name}: Administrator of everything" for name in ("ada", "ben")]
