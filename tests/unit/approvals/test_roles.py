"""What the roles are, as a table of its own: whoever changes one changes it here, too."""

from __future__ import annotations

import pytest

from approvals.roles import ALL, EVERYTHING, ROLES, Role, weighs

WHERE = {
    "viewer": {"pool", "all"},
    "operator": {"pool", "all"},
    "approver": {"pool", "channel", "all"},
    "oncall": {"pool"},
    "release_manager": {"channel", "all"},
    "auditor": {"all"},
    "administrator": {"pool", "all"},
}
TWO = {"approver", "oncall", "administrator"}


@pytest.mark.parametrize("role", ALL, ids=lambda role: role.name)
def test_where_a_role_is_held_and_what_giving_it_takes(role: Role) -> None:
    assert set(role.kinds) == WHERE[role.name]
    assert {role.needs_two(kind) for kind in role.kinds} == {role.name in TWO}
    assert role.rights("planet") == frozenset()


@pytest.mark.parametrize("role", ALL, ids=lambda role: role.name)
def test_nobody_asks_and_confirms_the_same(role: Role) -> None:
    both = {("propose_config", "approve_config"), ("submit_rollout", "approve_rollout")}
    held = {right.partition(".")[2] for kind in role.kinds for right in role.rights(kind)}
    assert not [pair for pair in both if set(pair) <= held]


def test_who_looks_may_do_nothing() -> None:
    for name in ("viewer", "auditor"):
        held = ROLES[name].rights(EVERYTHING)
        assert {right.partition(".")[2].partition("_")[0] for right in held} == {"view"}


def test_an_administrator_decides_about_people_and_not_about_rollouts() -> None:
    held = ROLES["administrator"].rights(EVERYTHING)
    assert "fleet.give_role" in held
    assert not {right for right in held if right.endswith("_rollout")}


def test_everything_is_more_than_each_part() -> None:
    for role in ALL:
        if role.over_all:
            assert all(role.rights(kind) <= role.rights(EVERYTHING) for kind in role.on)


def test_what_weighs() -> None:
    assert weighs("fleet.approve_rollout")
    assert weighs("fleet.give_role")
    assert not weighs("fleet.rollback_rollout")
