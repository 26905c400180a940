from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from approvals import policy, services
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Decision, Request, User
from tests.db.approvals.cast import DIGEST, NOW, OTHER, ask, decide, person

pytestmark = pytest.mark.django_db


def refused(request: Request, name: str = "Li", **said: object) -> str:
    """Decide, be refused, leave no trace; return the sentence."""
    before = (Decision.objects.count(), AuditEvent.objects.count(), Request.objects.get(pk=request.pk).state)
    with pytest.raises(Refused) as refusal:
        decide(request, name, **said)
    assert (Decision.objects.count(), AuditEvent.objects.count(), Request.objects.get(pk=request.pk).state) == before
    return refusal.value.say


def test_yes_approves() -> None:
    request = decide(ask())
    assert (request.state, request.version) == ("approved", 1)


def test_no_rejects() -> None:
    assert decide(ask(), yes=False, reason="change freeze").state == "rejected"


def test_records_who_and_why() -> None:
    decide(ask(), yes=False, reason="change freeze")
    event = AuditEvent.objects.get(seq=2)
    assert (event.verb, event.actor, event.reason) == ("approval.rejected", "li", "change freeze")
    assert json.loads(event.body)["details"]["digest"] == DIGEST
    decision = Decision.objects.get()
    assert (decision.by.username, decision.yes, decision.digest, decision.at) == ("li", False, DIGEST, NOW)


def test_without_the_right_not_even_a_superuser() -> None:
    User.objects.create_superuser("root")
    say = refused(ask(), "Root", has_right=False)
    assert say == "You may not decide this: you lack the right approve_rollout on pool:3."


def test_not_ones_own() -> None:
    assert refused(ask(), "Mo") == "You asked for this yourself. Somebody else has to decide."


def test_not_ones_own_in_the_database_either() -> None:
    request, mo = ask(), person("Mo")
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(request=request, requested_by=mo, by=mo, yes=True, digest=DIGEST, at=NOW)


def test_nobody_decides_in_anothers_name() -> None:
    li = person("Li")
    for actor in (Actor.machine("engine"), Actor(kind="person", name="li", user_id=li.pk + 1)):
        decide_as = {"yes": True, "reason": "", "digest": DIGEST}
        with pytest.raises(ValueError, match="can't decide for li"):
            services.decide(ask(), by=li, has_right=True, now=NOW, actor=actor, **decide_as)  # type: ignore[arg-type]  # a dict of all three


def test_another_digest_is_refused() -> None:
    assert "not what is asked now" in refused(ask(), digest=OTHER)
    assert "not what is asked now" in refused(ask(), digest="")


def test_a_no_without_a_reason_is_refused() -> None:
    assert refused(ask(), yes=False) == "Say why you reject it: the one who asked needs the reason."


def test_too_late_is_refused() -> None:
    assert refused(ask(), now=NOW + timedelta(hours=25)) == "The request expired 60 min ago. Ask again."


def test_a_void_one_is_refused() -> None:
    request = ask()
    services.void(request, reason="edited", actor=Actor.machine("plan"), now=NOW)
    assert "is void" in refused(request)


def test_the_second_time_is_refused_with_when() -> None:
    request = decide(ask())
    assert refused(request, now=NOW + timedelta(seconds=20)) == "You approved this 20 s ago."


def test_two_deciders_on_stale_pages_give_one_outcome() -> None:
    request = ask()
    stale = Request.objects.get(pk=request.pk)
    decide(request)
    say = refused(stale, "Kim", yes=False, reason="no", now=NOW + timedelta(seconds=20))
    assert say == "Li approved this 20 s ago."


def test_a_decider_overtaken_after_the_check_gives_one_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    request, real = ask(), policy.why_not

    def overtaken(*args: object, **more: object) -> str:
        why = real(*args, **more)  # type: ignore[arg-type]  # handed on as it came
        monkeypatch.setattr(policy, "why_not", real)
        decide(request, "Kim", yes=False, reason="change freeze")
        return why

    monkeypatch.setattr(policy, "why_not", overtaken)
    with pytest.raises(Refused, match="Kim rejected this 0 s ago."):
        decide(request)
    assert Decision.objects.get().by.username == "kim"


def test_two_are_needed_and_one_overtakes(monkeypatch: pytest.MonkeyPatch) -> None:
    request, real = ask(needed=2), policy.why_not

    def overtaken(*args: object, **more: object) -> str:
        monkeypatch.setattr(policy, "why_not", real)
        assert decide(request, "Kim").state == "open"
        return ""

    monkeypatch.setattr(policy, "why_not", overtaken)
    assert decide(request).state == "approved"
    assert Decision.objects.count() == 2


def test_two_are_needed_and_one_overtakes_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    request, real = ask(needed=2), services._outcome

    def overtaken(asked: policy.Asked, answer: policy.Answer) -> Request.State:
        counted = real(asked, answer)
        monkeypatch.setattr(services, "_outcome", real)
        decide(request, "Kim")
        return counted

    monkeypatch.setattr(services, "_outcome", overtaken)
    assert decide(request).state == "approved"


def test_one_person_is_no_quorum_of_two() -> None:
    request = decide(ask(needed=2))
    assert request.state == "open"
    assert refused(request) == "You approved this 0 s ago."


def test_a_no_is_final_whatever_the_quorum() -> None:
    request = decide(ask(needed=3), yes=False, reason="no")
    assert refused(request, "Kim") == "Li rejected this 0 s ago."
