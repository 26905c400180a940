"""What a yes needs, says the policy: when it was asked, when it is used, and every time between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from approvals import hearing, persons, policies, services
from approvals.errors import Refused
from approvals.models import ApprovalPolicy, Request, User
from tests.db.approvals.cast import DIGEST, NOW, actor, ask, decide, person

pytestmark = pytest.mark.django_db
BOTH = [{"count": 1, "of": "approvers"}, {"count": 1, "of": "night"}]


def policy(scope: str = "all", kind: str = "rollout.start", **spec: Any) -> ApprovalPolicy:
    ApprovalPolicy.objects.filter(kind=kind, scope=scope).update(current=False)
    version = ApprovalPolicy.objects.filter(kind=kind, scope=scope).count() + 1
    who = {"made_by": person("Ada"), "agreed_by": person("Ada"), "made_at": NOW}
    return ApprovalPolicy.objects.create(kind=kind, scope=scope, version=version, spec=spec, **who)


def put(name: str, *groups: str) -> User:
    for group in groups:
        Group.objects.get_or_create(name=group)[0].user_set.add(person(name))
    return person(name)


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as no:
        act()
    return no.value.say


def use(request: Request, **more: Any) -> None:
    services.check_use(request, **{"digest": DIGEST, "now": NOW, **more})


def test_the_most_specific_wins() -> None:
    scopes = ["pool:3", "channel:production", "all"]
    for scope, kind, minutes in (("all", "", 1), ("all", "rollout.start", 2), ("channel:production", "", 3)):
        policy(scope, kind, decide_minutes=minutes)
    assert policies.in_force("rollout.start", scopes).rules.decide_minutes == 2
    policy("channel:production", decide_minutes=4)
    assert policies.in_force("rollout.start", scopes).rules.decide_minutes == 4
    policy("pool:3", decide_minutes=5)
    assert policies.in_force("rollout.start", scopes).rules.decide_minutes == 5
    assert policies.in_force("drain.cut", scopes).rules.decide_minutes == 3
    assert policies.in_force("drain.cut", ["pool:4", "all"]).rules.decide_minutes == 1


def test_one_of_each_group_and_different_people() -> None:
    policy(needs=BOTH)
    put("Li", "approvers", "night")
    put("Kim", "night")
    request = ask()
    assert refusal(lambda: decide(request, "Ada")) == (
        "Needed are 1 more of approvers and 1 more of night; you are in none of these groups."
    )
    assert decide(request, "Li").state == "open"
    assert decide(request, "Kim").state == "approved"
    use(request)


def test_two_accounts_of_one_person_count_once() -> None:
    policy(needs=[{"count": 2}])
    for name in ("Li", "Li-admin"):
        with transaction.atomic():
            persons.note(person(name), "person:Li", by=person("Ada"), actor=actor(person("Ada")), now=NOW)
    request = ask()
    decide(request, "Li")
    assert refusal(lambda: decide(request, "Li-admin")) == "Li approved this 0 s ago, and you count as one person."
    User.objects.filter(pk=person("Mo-admin").pk).update(email="MO@example.net")
    User.objects.filter(pk=person("Mo").pk).update(email="mo@example.net")
    assert "the same person as you" in refusal(lambda: decide(request, "Mo-admin"))
    assert decide(request, "Kim").state == "approved"


def test_who_signed_the_release_does_not_approve_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hearing.SIGNERS, "rollout.start", lambda request: ["ABCD"])
    with transaction.atomic():
        persons.note(person("Li"), "signer:ABCD", by=person("Ada"), actor=actor(person("Ada")), now=NOW)
    request = ask()
    assert refusal(lambda: decide(request)) == "You signed this release, so somebody else has to say that it may run."
    assert decide(request, "Kim").state == "approved"


def test_stricter_meanwhile_counts_and_laxer_does_not_help() -> None:
    request = ask()
    decide(request)
    policy(needs=[{"count": 2}])
    assert refusal(lambda: use(request)) == "What an approval needs was made stricter since: 1 more. Ask again."
    policy(use_minutes=10, decide_minutes=5)
    assert "could be used until 0 s ago" in refusal(lambda: use(request, now=NOW + timedelta(minutes=10)))
    policy(needs=BOTH, use_minutes=100)
    asked = ask(subject="rollout:13")
    policy()
    assert "Needed are" in refusal(lambda: decide(asked, "Ada"))


def test_a_group_left_meanwhile_counts() -> None:
    policy(needs=[{"count": 1, "of": "approvers"}])
    li = put("Li", "approvers")
    request = ask()
    assert decide(request).state == "approved"
    use(request)
    li.groups.clear()
    assert "1 more of approvers" in refusal(lambda: use(request))


def test_it_takes_the_proof_that_the_policy_wants() -> None:
    policy(step_up="passkey")
    request, li = ask(), person("Li")
    said: dict[str, Any] = {"yes": True, "reason": "", "digest": DIGEST, "has_right": True, "now": NOW}
    weak = replace(actor(li), strength="second-factor")
    say = refusal(lambda: services.decide(request, by=li, actor=weak, **said))
    assert say == "To approve this takes a fresh passkey. Confirm that it is you, then approve."
    decided = services.decide(request, by=li, actor=replace(actor(li), strength="passkey"), **said)
    assert decided.decisions.get().strength == "passkey"
    use(request)


@pytest.mark.parametrize("act", [lambda request: ask(subject="rollout:13"), decide, use])
def test_one_that_cannot_be_read_stops_all(act: Callable[[Request], object]) -> None:
    request = ask()
    if act is use:
        decide(request)
    policy(needs="everybody")
    assert "can't be read, so nothing is approved by it" in refusal(lambda: act(request))


def test_times_are_the_policys_and_a_start_that_was_asked_for_is_waited_for() -> None:
    policy(decide_minutes=30, use_minutes=60)
    assert ask().expires_at == NOW + timedelta(minutes=30)
    ahead = ask(subject="rollout:13", start_at=NOW + timedelta(days=2))
    assert (ahead.expires_at, ahead.use_until) == (NOW + timedelta(days=2), NOW + timedelta(days=2, hours=1))
    decide(ahead, now=NOW + timedelta(days=1))
    use(ahead, now=NOW + timedelta(days=2, minutes=59))
    assert "could be used until" in refusal(lambda: use(ahead, now=NOW + timedelta(days=2, hours=1)))
