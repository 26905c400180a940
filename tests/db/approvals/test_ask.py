from __future__ import annotations

import json
from datetime import timedelta

import pytest

from approvals import services
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Request
from tests.db.approvals.cast import DIGEST, NOW, OTHER, ask, decide

pytestmark = pytest.mark.django_db


def test_opens_a_request() -> None:
    request = ask()
    assert (request.state, request.needed, request.requested_by.username) == ("open", 1, "mo")
    assert request.expires_at == NOW + timedelta(hours=24)


def test_records_who_and_what() -> None:
    ask()
    event = AuditEvent.objects.get()
    assert (event.verb, event.subject, event.actor, event.at) == ("approval.asked", "rollout:12", "mo", NOW)
    assert json.loads(event.body)["details"]["digest"] == DIGEST


def test_the_second_time_nothing_happens() -> None:
    assert ask() == ask()
    assert AuditEvent.objects.count() == 1


def test_somebody_elses_question_stands_and_says_so() -> None:
    ask()
    with pytest.raises(Refused, match="Mo has asked for this already; it waits for a decision."):
        ask(by="Li")


def test_another_quorum_makes_the_open_one_void() -> None:
    old, new = ask(), ask(needed=2)
    assert new.needed == 2
    assert Request.objects.get(pk=old.pk).state == "void"


def test_another_digest_makes_the_open_one_void() -> None:
    old, new = ask(), ask(digest=OTHER)
    old.refresh_from_db()
    assert (old.state, new.state) == ("void", "open")
    assert list(AuditEvent.objects.values_list("verb", flat=True)) == [
        "approval.asked",
        "approval.voided",
        "approval.asked",
    ]


def test_a_late_one_gives_way() -> None:
    old = ask()
    new = ask(by="Li", now=NOW + timedelta(hours=24))
    old.refresh_from_db()
    assert (old.state, new.state) == ("expired", "open")


def test_after_a_rejection_it_can_be_asked_again() -> None:
    old = decide(ask(), yes=False, reason="not today")
    assert ask() != old


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 63 + "\n"])
def test_without_a_digest_nothing_can_be_asked(digest: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        ask(digest=digest)
    assert not Request.objects.exists()


def test_use_may_not_end_before_the_decision() -> None:
    with pytest.raises(ValueError, match="two dates"):
        ask(use_within=timedelta(hours=1))


class TestVoid:
    @pytest.mark.parametrize("approved", [True, False])
    def test_ends_open_and_approved_ones_and_records_why(self, approved: bool) -> None:
        request = decide(ask()) if approved else ask()
        assert services.void(request, reason="plan edited", actor=Actor.machine("plan"), now=NOW).state == "void"
        last = AuditEvent.objects.last()
        assert last is not None
        assert (last.verb, last.reason, last.actor) == ("approval.voided", "plan edited", "machine:plan")

    def test_the_second_time_nothing_happens(self) -> None:
        request = ask()
        for _ in range(2):
            services.void(request, reason="plan edited", actor=Actor.machine("plan"), now=NOW)
        assert AuditEvent.objects.filter(verb="approval.voided").count() == 1

    def test_a_rejected_one_stays_rejected(self) -> None:
        request = decide(ask(), yes=False, reason="no")
        assert services.void(request, reason="x", actor=Actor.machine("plan"), now=NOW).state == "rejected"


class TestExpire:
    def test_ends_the_late_ones_once(self) -> None:
        request, later = ask(), ask(subject="rollout:13", decide_within=timedelta(hours=48))
        at = NOW + timedelta(hours=24)
        assert services.expire(now=at) == [request]
        assert services.expire(now=at) == []
        later.refresh_from_db()
        assert later.state == "open"

    def test_records_that_nobody_decided(self) -> None:
        ask()
        services.expire(now=NOW + timedelta(hours=24))
        last = AuditEvent.objects.last()
        assert last is not None
        assert (last.verb, last.actor) == ("approval.expired", "machine:clock")
        assert last.reason == "nobody decided until 2026-11-24T12:00:00+00:00"
