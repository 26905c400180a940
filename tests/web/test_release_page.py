"""A release's page: how far it has come, passing it on, withdrawing it, and what differs from another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from approvals.models import AuditEvent, Request, User
from fleet.models import Gateway
from releases.models import ChannelPolicy, Downgrade, Release
from tests import factories
from tests.scenes import scene
from tests.web.conftest import assert_clean
from upgrader import plan

Browse = Callable[[str], Client]


@pytest.fixture(autouse=True)
def _rights(people: dict[str, User]) -> None:
    for name, codename in (
        ("operator", "pass_release"),
        ("operator", "yank_release"),
        ("oncall", "approve_release"),
    ):
        people[name].user_permissions.add(Permission.objects.get(codename=codename))


@pytest.fixture
def release() -> Release:
    factories.fleet()
    made = factories.release(
        channel="candidate",
        provenance={"builder": "Release desk", "revision": "4f1e22c"},
        contents={"files": 41, "unpacked": 9_400_000, "libraries": ["libgnutls.so.30", "libnettle.so.8"]},
    )
    ChannelPolicy.objects.filter(channel="staging").update(matrix=[])
    return made


def test_the_page_tells_where_it_comes_from(browse: Browse, release: Release) -> None:
    page = browse("auditor").get(f"/releases/{release.pk}/")
    for said in (b"Release desk", b"4f1e22c", b"2 libraries come with it", b"Good today", b"Channel candidate"):
        assert said in page.content
    assert b"Pass it on to" not in page.content
    assert b"Withdraw" not in page.content
    assert_clean(page)


def test_passing_on_works_once(browse: Browse, release: Release) -> None:
    path = f"/releases/{release.pk}/pass/"
    assert b"Pass it on to staging" in browse("operator").get(f"/releases/{release.pk}/").content
    assert browse("operator").post(path).status_code == 302
    assert Release.objects.get().channel == "staging"
    event = AuditEvent.objects.get(verb="release.passed")
    assert (event.actor, event.subject) == ("operator", f"release:{release.pk}")
    ChannelPolicy.objects.filter(channel="production").delete()
    page = browse("operator").post(path)
    assert (page.status_code, b"The channel production has no policy" in page.content) == (409, True)
    assert Release.objects.get().channel == "staging"


def test_what_is_not_green_is_asked(browse: Browse, release: Release) -> None:
    ChannelPolicy.objects.filter(channel="staging").update(matrix=["static"])
    page = browse("operator").post(f"/releases/{release.pk}/pass/")
    assert (page.status_code, b"1 of its tests are not green" in page.content) == (409, True)
    page = browse("operator").post(f"/releases/{release.pk}/pass/", {"reason": "The lab burnt down"})
    assert page["Location"] == f"/changes/{Request.objects.get().pk}/"
    assert b"static: it was not run to its end yet." in browse("oncall").get(page["Location"]).content


@pytest.mark.parametrize("who", ["oncall", "auditor"])
def test_neither_without_the_right(browse: Browse, release: Release, who: str) -> None:
    assert browse(who).post(f"/releases/{release.pk}/pass/").status_code == 409
    assert browse(who).post(f"/releases/{release.pk}/withdraw/", {"reason": "x"}).status_code == 403
    assert (Release.objects.get().channel, Release.objects.get().state) == ("candidate", "ready")


def test_withdrawing_says_which_rollouts_hold(browse: Browse) -> None:
    made = scene("observing")
    release = made.rollout.release
    page = browse("operator").get(f"/releases/{release.pk}/")
    assert f"rollout {made.rollout.pk} to eu-west".encode() in page.content
    path = f"/releases/{release.pk}/withdraw/"
    page = browse("operator").post(path)
    assert (page.status_code, b"Say why the release is withdrawn" in page.content) == (422, True)
    assert browse("operator").get(path).status_code == 405
    for reason in ("It leaks memory", "again"):
        assert browse("operator").post(path, {"reason": reason}).status_code == 302
    assert AuditEvent.objects.get(verb="release.yanked").reason == "It leaks memory"
    page = browse("auditor").get(f"/releases/{release.pk}/")
    assert b"Withdrawn: It leaks memory." in page.content


def test_two_releases_side_by_side(browse: Browse, release: Release) -> None:
    newer = {"channel": "candidate", "counter": 1_004_000, "contents": {"libraries": ["libgnutls.so.30", "libev.so.4"]}}
    other = factories.release("1.4.0-1", **newer)
    choose = browse("auditor").get(f"/releases/{other.pk}/compare/", {"with": release.pk})
    assert choose["Location"] == f"/releases/{release.pk}/compare/{other.pk}/"
    page = browse("auditor").get(choose["Location"])
    for said in (b"# ocserv 1.4.0-1", b"libev.so.4", b"libnettle.so.8", b"1 are in both", b"not said", b"4f1e22c"):
        assert said in page.content
    assert_clean(page)
    assert browse("stranger").get(choose["Location"]).status_code == 404


def test_a_downgrade_is_named_before_it_is_approved(browse: Browse, people: dict[str, User], release: Release) -> None:
    Release.objects.update(channel="production")
    Gateway.objects.filter(name="fra-gw-01").update(facts={"counter": 2_000_000})
    choice = {"release": release.pk, "pool": factories.pool().pk, "strategy": factories.strategy().pk}
    page = browse("operator").get("/rollouts/new/", choice)
    assert b"This is a downgrade for 1 gateway: fra-gw-01." in page.content
    rollout = factories.draft(people["operator"], to=release)
    rollout.plan["downgrade"] = ["fra-gw-01"]
    rollout.digest = plan.digest(rollout.plan)
    rollout.save()
    factories.ask(rollout, people["operator"])
    page = browse("oncall").get(f"/decisions/{rollout.pk}/")
    assert b"This is a downgrade for 1 gateway: fra-gw-01." in page.content
    assert b"Reason, with the word downgrade" in page.content
    assert b"No statement of the downgrade is there yet. Draw it on the page of 1.3.0-2" in page.content
    assert_clean(page)
    browse("operator").post(f"/releases/{release.pk}/downgrade/")
    page = browse("oncall").get(f"/decisions/{rollout.pk}/")
    assert b"No approver has signed it yet." in page.content
    Downgrade.objects.update(signatures=[{"name": "oncall.sig", "text": "signed"}])
    page = browse("oncall").get(f"/decisions/{rollout.pk}/")
    assert b"Approvers have signed the downgrade; gateways get that with the release." in page.content


def test_the_word_downgrade_is_drawn_to_be_signed(browse: Browse, release: Release) -> None:
    path = f"/releases/{release.pk}/"
    assert b"Take gateways down" not in browse("operator").get(path).content
    assert browse("operator").post(f"{path}downgrade/").status_code == 409
    factories.release("1.4.0-1", counter=1_004_000)
    assert b"Draw the statement to sign" in browse("operator").get(path).content
    assert browse("oncall").post(f"{path}downgrade/").status_code == 409
    assert browse("operator").get(f"{path}downgrade/statement.json").status_code == 404
    assert browse("operator").post(f"{path}downgrade/").status_code == 302
    text = browse("oncall").get(f"{path}downgrade/statement.json").content
    assert release.digest.encode() in text
    page = browse("oncall").post(f"{path}downgrade/sign/", {"signature": "hello"})
    assert (page.status_code, b"This is no SSH signature" in page.content) == (409, True)
    assert_clean(page)
