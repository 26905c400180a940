"""Changes that need a second person: asked by one, decided by another, applied with the last yes or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from guardian.shortcuts import remove_perm

from approvals import audit, changes
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Request, User
from tests.factories import NOON, cast, pool

pytestmark = pytest.mark.django_db
KIND = "tests.paint"


class Wall:
    """What the tests' changes change."""

    def __init__(self) -> None:
        self.colour = "grey"
        self.wet = False

    def paint(self, applied: changes.Applied) -> None:
        if self.wet:
            raise Refused("The wall is wet.")
        self.colour = str(applied.payload["colour"])


@pytest.fixture
def wall() -> Iterator[Wall]:
    wall = Wall()
    changes.KINDS[KIND] = changes.Change("fleet.propose_config", "fleet.approve_config", wall.paint)
    yield wall
    del changes.KINDS[KIND]


@pytest.fixture
def people() -> dict[str, User]:
    return cast()


def actor(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk)


def ask(by: User, colour: str = "blue") -> Request:
    return changes.propose(
        KIND,
        by=by,
        actor=actor(by),
        now=NOON,
        subject="wall:1",
        scope=f"pool:{pool().pk}",
        payload={"colour": colour},
        title=f"Paint the wall {colour}",
    )


def answer(request: Request, by: User, *, yes: bool = True, **words: Any) -> Request:
    said = {"reason": "" if yes else "Not that colour.", "digest": request.digest, **words}
    return changes.decide(request, by=by, actor=actor(by), now=NOON + timedelta(minutes=1), yes=yes, **said)


def test_a_second_persons_yes_applies_it_and_is_on_the_record(wall: Wall, people: dict[str, User]) -> None:
    request = answer(ask(people["operator"]), people["oncall"])
    assert request.state == Request.State.APPROVED
    assert wall.colour == "blue"
    verbs = list(AuditEvent.objects.filter(subject="wall:1").values_list("verb", "actor"))
    assert verbs == [("approval.asked", "operator"), ("approval.approved", "oncall")]
    assert audit.verify() is None


def test_nobody_decides_his_own(wall: Wall, people: dict[str, User]) -> None:
    request = ask(people["operator"])
    with pytest.raises(Refused, match="You asked for this yourself"):
        answer(request, people["operator"])
    assert wall.colour == "grey"


@pytest.mark.parametrize("name", ["auditor", "stranger"])
def test_without_the_right_there_is_no_asking_and_no_deciding(wall: Wall, people: dict[str, User], name: str) -> None:
    with pytest.raises(Refused, match="You may not ask for this"):
        ask(people[name])
    request = ask(people["operator"])
    with pytest.raises(Refused, match="You may not decide this"):
        answer(request, people[name])
    assert not changes.may_decide(people[name], request)


def test_a_superuser_has_no_right_that_was_not_granted(wall: Wall, people: dict[str, User]) -> None:
    root = User.objects.create(username="root", is_superuser=True)
    with pytest.raises(Refused, match="You may not decide this"):
        answer(ask(people["operator"]), root)


def test_a_change_that_can_not_be_applied_takes_the_yes_back(wall: Wall, people: dict[str, User]) -> None:
    request, wall.wet = ask(people["operator"]), True
    with pytest.raises(Refused, match="The wall is wet"):
        answer(request, people["oncall"])
    assert Request.objects.get(pk=request.pk).state == Request.State.OPEN
    assert not AuditEvent.objects.filter(verb="approval.approved").exists()
    wall.wet = False
    assert answer(request, people["oncall"]).state == Request.State.APPROVED


@pytest.mark.parametrize("changed", [{"payload": {"colour": "red"}}, {"title": "Paint the wall white"}])
def test_what_was_changed_behind_the_yes_is_not_applied(
    wall: Wall, people: dict[str, User], changed: dict[str, Any]
) -> None:
    request = ask(people["operator"])
    request.summary.update(changed)
    request.save(update_fields=["summary"])
    with pytest.raises(Refused, match="This is not what was approved"):
        answer(request, people["oncall"])
    assert wall.colour == "grey"


def test_another_payload_makes_the_open_question_void(wall: Wall, people: dict[str, User]) -> None:
    first, second = ask(people["operator"]), ask(people["operator"], "green")
    assert Request.objects.get(pk=first.pk).state == Request.State.VOID
    with pytest.raises(Refused, match="void"):
        answer(first, people["oncall"])
    answer(second, people["oncall"])
    assert wall.colour == "green"


def test_a_no_changes_nothing_and_needs_a_reason(wall: Wall, people: dict[str, User]) -> None:
    request = ask(people["operator"])
    with pytest.raises(Refused, match="Say why"):
        answer(request, people["oncall"], yes=False, reason=" ")
    assert answer(request, people["oncall"], yes=False).state == Request.State.REJECTED
    assert wall.colour == "grey"


def test_the_second_yes_is_told_who_was_faster(wall: Wall, people: dict[str, User]) -> None:
    request = ask(people["operator"])
    answer(request, people["oncall"])
    with pytest.raises(Refused, match="oncall|You approved"):
        answer(request, people["oncall"])


def test_what_waits_for_whom(wall: Wall, people: dict[str, User]) -> None:
    request = ask(people["operator"])
    waits = {name: changes.waiting_for(user) for name, user in people.items()}
    assert waits == {"operator": [], "oncall": [request], "auditor": [], "stranger": []}
    sees = {name: changes.visible(user) == [request] for name, user in people.items()}
    assert sees == {"operator": True, "oncall": True, "auditor": True, "stranger": False}


@pytest.mark.parametrize("lost", ["right", "account"])
def test_what_was_asked_by_one_who_may_not_any_more_is_not_applied(
    wall: Wall, people: dict[str, User], lost: str
) -> None:
    asker = people["operator"]
    request = ask(asker)
    if lost == "right":
        remove_perm("fleet.propose_config", asker, pool())
    else:
        User.objects.filter(pk=asker.pk).update(is_active=False)
    with pytest.raises(Refused, match="asked for this and may not any more"):
        answer(request, people["oncall"])
    assert (Request.objects.get(pk=request.pk).state, wall.colour) == ("open", "grey")
    assert answer(request, people["oncall"], yes=False).state == Request.State.REJECTED
