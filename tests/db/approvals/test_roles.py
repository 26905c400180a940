"""Roles as groups: what they give, where, to whom, and what takes two."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from approvals import changes, people_journal, people_services, rights
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Request, RoleGroup, User
from approvals.people_services import Wanted
from approvals.roles import ALL, EVERYTHING
from fleet.models import Pool
from fleet.selectors import pools_with, visible_pools
from releases.models import ChannelPolicy
from tests.factories import NOON

pytestmark = pytest.mark.django_db
MACHINE = Actor.machine("tests")


def pool(name: str) -> Pool:
    return Pool.objects.get_or_create(name=name)[0]


def on(name: str) -> str:
    return f"pool:{pool(name).pk}"


def who(name: str, *held: tuple[str, str]) -> User:
    person = User.objects.get_or_create(username=name, defaults={"password": "!"})[0]
    for role, scope in held:
        people_journal.give(person, role, scope, actor=MACHINE, now=NOON, why="The test needs it.")
    return person


def give(by: User, person: User, role: str, scope: str) -> Request | None:
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    return people_services.give(Wanted(person, role, scope, "New on the team."), by=by, actor=actor, now=NOON)


def agree(asked: Request | None, by: User) -> Request:
    assert asked is not None
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    return changes.decide(asked, by=by, now=NOON, actor=actor, yes=True, reason="", digest=asked.digest)


@pytest.mark.parametrize("role", ALL, ids=lambda role: role.name)
def test_a_role_has_the_rights_of_its_place_and_no_others(role: object) -> None:
    here, channel = on("eu"), f"channel:{ChannelPolicy.objects.get(channel='staging').pk}"
    for scope in {"all": EVERYTHING, "pool": here, "channel": channel}.values():
        kind = scope.partition(":")[0]
        if kind in role.kinds:  # type: ignore[attr-defined]  # parametrize hides the type
            ann = who(f"ann-{kind}", (role.name, scope))  # type: ignore[attr-defined]
            assert rights.held(ann, scope) == role.rights(kind)  # type: ignore[attr-defined]
            assert rights.held(ann, on("us")) == (rights.held(ann, EVERYTHING))


def test_one_may_be_on_call_here_and_look_there() -> None:
    ann = who("ann", ("oncall", on("eu")), ("viewer", on("us")))
    pool("asia")
    assert [row.name for row in visible_pools(ann)] == ["eu", "us"]
    assert [row.name for row in pools_with(ann, "approve_rollout")] == ["eu"]
    assert not rights.may(ann, "fleet.approve_rollout", on("us"))
    assert rights.rows(ann, "fleet.view_pool", Pool).count() == 2


def test_being_a_superuser_is_no_right_and_a_switched_off_person_has_none() -> None:
    root = User.objects.create(username="root", is_superuser=True)
    assert not rights.may(root, "fleet.view_pool", on("eu"))
    assert not visible_pools(root)
    ann = who("ann", ("operator", EVERYTHING))
    assert rights.may(ann, "fleet.submit_rollout", on("eu"))
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert not rights.may(User.objects.get(pk=ann.pk), "fleet.submit_rollout", on("eu"))


def test_a_pool_that_is_gone_leaves_no_right_to_the_next_one() -> None:
    ann, scope = who("ann", ("operator", on("eu"))), on("eu")
    pool("eu").delete()
    Pool.objects.create(pk=int(scope.partition(":")[2]), name="eu-again")
    assert not rights.may(ann, "fleet.submit_rollout", scope)


def test_giving_is_on_record_and_taking_too() -> None:
    boss, ann = who("boss", ("administrator", EVERYTHING)), who("ann")
    assert give(boss, ann, "operator", on("eu")) is None
    wanted = Wanted(ann, "operator", on("eu"), "She left the team.")
    actor = Actor(kind="person", name="boss", user_id=boss.pk)
    people_services.take(wanted, by=boss, actor=actor, now=NOON)
    said = AuditEvent.objects.filter(subject=f"person:{ann.pk}").order_by("seq")
    assert [(row.verb, row.actor, row.reason) for row in said] == [
        ("role.given", "boss", "New on the team."),
        ("role.taken", "boss", "She left the team."),
    ]
    assert not rights.held(ann, on("eu"))
    with pytest.raises(Refused, match="ann is not Operator on eu"):
        people_services.take(wanted, by=boss, actor=actor, now=NOON)


def test_the_power_to_approve_takes_two() -> None:
    boss, other = (who(name, ("administrator", EVERYTHING)) for name in ("boss", "other"))
    ann = who("ann")
    asked = give(boss, ann, "approver", on("eu"))
    assert not rights.held(ann, on("eu"))
    with pytest.raises(Refused, match="You asked for this yourself"):
        agree(asked, boss)
    agree(asked, other)
    assert rights.may(ann, "fleet.approve_rollout", on("eu"))


def test_nobody_confirms_his_own_role_or_gives_himself_one() -> None:
    boss, other = (who(name, ("administrator", EVERYTHING)) for name in ("boss", "other"))
    with pytest.raises(Refused, match="Nobody gives himself a role"):
        give(boss, boss, "viewer", on("eu"))
    with pytest.raises(Refused, match="The role would be your own"):
        agree(give(boss, other, "approver", on("eu")), other)
    assert not rights.may(other, "fleet.approve_rollout", on("eu"))


def test_an_administrator_of_one_pool_gives_roles_there_only() -> None:
    boss, ann = who("boss", ("administrator", on("eu"))), who("ann")
    assert give(boss, ann, "viewer", on("eu")) is None
    for scope in (on("us"), EVERYTHING):
        with pytest.raises(Refused, match="You may not give or take roles"):
            give(boss, ann, "viewer", scope)
    with pytest.raises(Refused, match="Choose a role"):
        give(boss, ann, "auditor", on("eu"))


def test_the_last_administrator_stays() -> None:
    boss = who("boss", ("administrator", EVERYTHING))
    with pytest.raises(Refused, match="boss is the last administrator"):
        people_journal.take(boss, "administrator", EVERYTHING, actor=MACHINE, now=NOON, why="Away.")
    assert people_journal.administrators() == [boss]


def test_role_groups_are_made_what_the_table_says() -> None:
    ann = who("ann", ("viewer", on("eu")), ("viewer", EVERYTHING))
    stands = RoleGroup.objects.get(scope=EVERYTHING)
    stands.group.permissions.set(Permission.objects.filter(codename="approve_trust"))
    people_journal.fit_all()
    assert rights.held(ann, EVERYTHING) == {"fleet.view_pool"}
    assert Group.objects.count() == 2


def test_superusers_of_an_older_installation_keep_looking() -> None:
    eu = pool("eu")
    root = User.objects.create(username="root", is_superuser=True)
    gone = User.objects.create(username="gone", is_superuser=True, is_active=False)
    import_module("fleet.migrations.0023_superusers_keep_looking").give(apps, None)
    people_journal.fit_all()
    assert list(visible_pools(root)) == [eu]
    assert not rights.may(root, "fleet.approve_rollout", on("eu"))
    assert not gone.groups.exists()


def test_rights_over_releases_moved_to_channels_with_their_holders() -> None:
    right = Permission.objects.get(codename="pass_release")
    ann = User.objects.create(username="ann")
    ann.user_permissions.add(right)
    steps = import_module("releases.migrations.0005_rights_on_channels")
    steps.to_releases(apps, None)
    assert Permission.objects.get(pk=right.pk).content_type.model == "release"
    steps.to_channels(apps, None)
    assert Permission.objects.get(pk=right.pk).content_type.model == "channelpolicy"
    assert rights.everywhere(ann, "releases.pass_release")
