"""The fleet changes while a plan waits: who joined, who left, who serves something else, how many users came."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import User
from fleet.models import Gateway
from tests import factories
from tests.factories import NOON
from upgrader import drafting
from upgrader.changed import Changed, changed
from upgrader.models import Rollout
from upgrader.states import R


@pytest.fixture
def rollout(db: None) -> Rollout:
    people = factories.cast()
    factories.fleet()
    return factories.draft(people["operator"])


def found(rollout: Rollout) -> Changed:
    since = changed(rollout)
    assert since is not None
    return since


def test_nothing_is_said_when_nothing_changed(rollout: Rollout) -> None:
    assert changed(rollout) is None


def test_who_joined_is_named_and_not_in_it(rollout: Rollout) -> None:
    factories.gateway("par-gw-01")
    since = found(rollout)
    assert since.joined == ["par-gw-01"]
    assert since.joined_say.startswith("par-gw-01 needs it too and came to the pool after the plan was drawn")
    assert since.draft_say == "Draft a rollout for the 1 that joined"


def test_who_joined_with_the_release_is_nothing_to_do(rollout: Rollout) -> None:
    Gateway.objects.filter(pk=factories.gateway("par-gw-01").pk).update(release=rollout.release.name)
    assert changed(rollout) is None


def test_a_rollout_for_those_that_joined_takes_only_them(rollout: Rollout) -> None:
    factories.gateway("par-gw-01")
    by = User.objects.get(username="operator")
    how: dict[str, Any] = {
        "release": rollout.release,
        "pool": rollout.pool,
        "strategy": rollout.strategy,
        "by": by,
        "now": NOON,
    }
    made = drafting.draft(**how, without=rollout)
    assert [g["name"] for wave in made.plan["waves"] for g in wave["gateways"]] == ["par-gw-01"]
    assert made.digest != rollout.digest
    Gateway.objects.filter(name="par-gw-01").update(state=Gateway.State.LEFT)
    with pytest.raises(Refused, match=f"and is not in rollout {rollout.pk}"):
        drafting.draft(**how, without=rollout)


@pytest.mark.parametrize("columns", [{"state": Gateway.State.LEFT}, {"pool": "us-east"}], ids=["fleet", "pool"])
def test_who_left_is_named(rollout: Rollout, columns: dict[str, str]) -> None:
    moved: dict[str, Any] = {
        name: factories.pool(value) if name == "pool" else value for name, value in columns.items()
    }
    Gateway.objects.filter(name="fra-gw-02").update(**moved)
    assert found(rollout).left_say.startswith("fra-gw-02 left the pool since and will be skipped")


def test_who_serves_something_else_is_named_with_it(rollout: Rollout) -> None:
    Gateway.objects.filter(name="fra-gw-02").update(release="1.2.0-1")
    assert found(rollout).others_say.startswith("fra-gw-02 (1.2.0-1) serves something else than the plan saw")


def test_many_more_users_are_told(rollout: Rollout) -> None:
    Gateway.objects.filter(name="fra-gw-01").update(sessions=46)
    assert changed(rollout) is None
    Gateway.objects.filter(name="fra-gw-01").update(sessions=470)
    assert found(rollout).users_say == "540 users are on the 4 gateways that have not begun; the plan saw 74."


def test_what_was_taken_back_or_rejected_says_nothing(rollout: Rollout) -> None:
    factories.gateway("par-gw-01")
    for state in (R.ROLLED_BACK, R.REJECTED):
        factories.put(rollout, state, "over")
        assert changed(rollout) is None
