"""Policies are read by everybody, and changed by two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.http import HttpResponse
from django.test import Client

from approvals import policies
from approvals.models import ApprovalPolicy, AuditEvent, Identity, Request, User
from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
FORM = {
    **{"kind": "rollout.start", "scope": "all", "version": "0", "count-0": "1", "of-0": "approvers"},
    **{"count-1": "1", "of-1": "", "not_signer": "yes", "step_up": "", "why": "The auditors ask for two."},
    **{"decide_minutes": "60", "use_minutes": "600", "remind_minutes": "10", "escalate_minutes": "20"},
}


@pytest.fixture(autouse=True)
def _rights(people: dict[str, User]) -> None:
    for name, codename in (("operator", "add_approvalpolicy"), ("oncall", "change_approvalpolicy")):
        people[name].user_permissions.add(Permission.objects.get(codename=codename))
    Group.objects.create(name="approvers").user_set.add(people["oncall"])


def propose(browse: Browse, **changes: str) -> HttpResponse:
    return browse("operator").post("/changes/policies/propose/", FORM | changes)  # type: ignore[return-value]  # Django's own


def test_two_people_set_a_policy_and_the_page_says_what_it_means(browse: Browse) -> None:
    asked = Request.objects.get(pk=int(propose(browse).headers["Location"].split("/")[-2]))
    assert not ApprovalPolicy.objects.exists()
    browse("oncall").post(f"/changes/{asked.pk}/approve/", {"digest": asked.digest, "reason": ""})
    assert policies.in_force("rollout.start", ["pool:1", "all"]).version == 1
    page = browse("stranger").get("/changes/policies/")
    assert_clean(page)
    assert "1 person of the group approvers and 1 person with the right to decide" in page.content.decode()
    event = AuditEvent.objects.get(verb="policy.set")
    assert (event.actor, event.reason) == ("oncall", FORM["why"])
    assert propose(browse).status_code == 409  # seen at version 0; there is a newer one


@pytest.mark.parametrize(
    ("changes", "say"),
    [
        ({"count-0": "two"}, "The number of people is a whole number from 1 to 9."),
        ({"of-0": "nobody"}, "0 people with their accounts on are in nobody"),
        ({"count-0": "2"}, "1 people with their accounts on are in approvers"),
        ({"scope": "pool:99"}, "choose “everywhere”"),
        ({"kind": "tea.make"}, "There is no kind of request"),
        ({"escalate_minutes": "5"}, "that number must be the greater one"),
        ({"why": " "}, "Say why"),
    ],
)
def test_what_could_not_be_kept_is_not_asked(browse: Browse, changes: dict[str, str], say: str) -> None:
    page = propose(browse, **changes)
    assert page.status_code == 409
    assert say in page.content.decode()
    assert not Request.objects.exists()


def test_who_lacks_the_right_asks_nothing_and_a_look_changes_nothing(browse: Browse) -> None:
    page = browse("auditor").post("/changes/policies/propose/", FORM)
    assert page.status_code == 409
    assert "You may not ask for this" in page.content.decode()
    assert browse("operator").get("/changes/policies/propose/").status_code == 405


def test_one_that_cannot_be_read_stands_on_the_page(browse: Browse, people: dict[str, User]) -> None:
    who = {"made_by": people["operator"], "agreed_by": people["oncall"], "made_at": factories.NOON}
    ApprovalPolicy.objects.create(kind="rollout.start", version=1, spec={"needs": "all"}, **who)
    page = browse("operator").get("/changes/policies/?kind=rollout.start&scope=all")
    assert "can&#x27;t be read, so nothing is approved by it" in page.content.decode()


def test_two_agree_by_what_somebody_is_known(browse: Browse, people: dict[str, User]) -> None:
    form = {"user": str(people["oncall"].pk), "what": "signer", "name": "ABCD", "why": "His key."}
    answer = browse("operator").post("/changes/people/propose/", form)
    asked = Request.objects.get(pk=int(answer.headers["Location"].split("/")[-2]))
    browse("oncall").post(f"/changes/{asked.pk}/approve/", {"digest": asked.digest, "reason": ""})
    assert Identity.objects.get().value == "signer:ABCD"
