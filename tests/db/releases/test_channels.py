"""Passing a release on: by its channel's policy and its tests, or with a second person's word."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission

from approvals import changes
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Request, User
from fleet.models import Pool
from releases import channels, services, signers
from releases.models import ChannelPolicy, MatrixCell, MatrixRun, Release, TrustedSigner
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOON


@pytest.fixture(autouse=True)
def people() -> dict[str, User]:
    """Who may pass a release on, and who may agree to a red test."""
    cast = factories.cast()
    for name, codename in (("operator", "pass_release"), ("oncall", "approve_release")):
        cast[name].user_permissions.add(Permission.objects.get(codename=codename))
    return cast


@pytest.fixture
def release() -> Release:
    return factories.release(channel="candidate")


def run(release: Release, part: str, verdict: str = "green", **columns: object) -> MatrixRun:
    made = MatrixRun.objects.create(**{"release": release, "part": part, "state": "done", "started_at": NOW, **columns})
    MatrixCell.objects.create(run=made, test="certificate", verdict=verdict, say="3 of 3 logins.")
    return made


def pass_on(release: Release, by: User, reason: str = "") -> Request | None:
    return channels.pass_on(release, by=by, actor=actor(by), now=NOW, reason=reason)


def actor(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk)


def agree(request: Request, by: User) -> None:
    changes.decide(request, by=by, actor=actor(by), now=NOW, yes=True, reason="", digest=request.digest)


def test_green_tests_let_it_pass(people: dict[str, User], release: Release) -> None:
    for part in ("static", "functional"):
        run(release, part)
    assert pass_on(release, people["operator"]) is None
    release.refresh_from_db()
    assert release.channel == "staging"
    event = AuditEvent.objects.get(verb="release.passed")
    assert (event.subject, event.actor) == (f"release:{release.pk}", "operator")
    assert json.loads(event.body)["details"]["after"] == "staging"


def test_a_red_or_missing_test_needs_a_second_person(people: dict[str, User], release: Release) -> None:
    run(release, "static", "red")
    with pytest.raises(Refused, match="Say why it may go to staging although 2 of its tests are not green"):
        pass_on(release, people["operator"])
    request = pass_on(release, people["operator"], "known fault, fixed next week")
    assert request is not None
    assert request.summary["payload"]["gaps"] == [
        "static: certificate is red. 3 of 3 logins.",
        "functional: it was not run to its end yet.",
    ]
    agree(request, people["oncall"])
    release.refresh_from_db()
    assert release.channel == "staging"
    assert "oncall agreed in spite of 2 tests" in AuditEvent.objects.get(verb="release.passed").reason


def test_what_turned_red_since_voids_the_yes(people: dict[str, User], release: Release) -> None:
    run(release, "static")
    request = pass_on(release, people["operator"], "soon")
    assert request is not None
    run(release, "static", "unclear", started_at=NOW + timedelta(minutes=1))
    with pytest.raises(Refused, match="Since this was asked: static: certificate is unclear"):
        agree(request, people["oncall"])
    assert Release.objects.get().channel == "candidate"


def test_only_the_last_finished_run_counts(people: dict[str, User], release: Release) -> None:
    run(release, "static", "red")
    run(release, "static", started_at=NOW + timedelta(minutes=1))
    run(release, "static", "red", started_at=NOW + timedelta(minutes=2), state="failed")
    assert channels.open_gaps(release, "staging") == ["functional: it was not run to its end yet."]
    run(release, "functional", "red", upgraded_from="1.1.6-2")
    run(release, "functional", upgraded_from="1.2.0-1")
    assert channels.open_gaps(release, "staging") == ["functional, from 1.1.6-2: certificate is red. 3 of 3 logins."]


def test_refusals_have_their_sentences(people: dict[str, User], release: Release) -> None:
    with pytest.raises(Refused, match="you lack the right releases.pass_release"):
        pass_on(release, people["auditor"])
    ChannelPolicy.objects.filter(channel="staging").update(threshold=2)
    with pytest.raises(Refused, match="the channel staging needs 2"):
        pass_on(release, people["operator"])
    ChannelPolicy.objects.filter(channel="staging").delete()
    with pytest.raises(Refused, match="has no policy"):
        pass_on(release, people["operator"])
    Release.objects.update(channel="production")
    with pytest.raises(Refused, match="there is no channel after that"):
        pass_on(release, people["operator"])
    Release.objects.update(channel="candidate", state="yanked", state_reason="crashes")
    with pytest.raises(Refused, match="was withdrawn: crashes"):
        pass_on(release, people["operator"])


def test_a_pool_takes_its_own_channel_and_those_further_on(release: Release) -> None:
    pool = Pool.objects.create(name="edge", channel="staging")
    assert "this pool takes releases of staging" in services.why_not_for(release, pool, NOW)
    Release.objects.update(channel="production")
    assert services.why_not_for(release, pool, NOW) == ""


def test_a_signer_who_was_struck_off_takes_the_release_along(release: Release) -> None:
    pool = Pool.objects.create(name="edge", channel="candidate")
    assert services.why_not_for(release, pool, NOW) == ""
    signers.distrust(TrustedSigner.objects.get(), reason="lost", actor=Actor.machine("test"), now=NOW)
    assert "Release desk, who is not trusted any more" in services.why_not_for(release, pool, NOW)


def test_texts_that_were_changed_in_the_database_do_not_count(release: Release) -> None:
    pool = Pool.objects.create(name="edge", channel="candidate")
    Release.objects.update(sums=release.sums.replace("a", "b", 1))
    assert "does not fit SHA256SUMS" in services.why_not_for(release, pool, NOW)
