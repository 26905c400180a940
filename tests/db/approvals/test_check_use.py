from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from approvals import services
from approvals.errors import Refused
from approvals.models import Actor, Request
from tests.db.approvals.cast import DIGEST, NOW, OTHER, ask, decide, person

pytestmark = pytest.mark.django_db


def refused(request: Request, **use: object) -> str:
    with pytest.raises(Refused) as refusal:
        services.check_use(request, **{"digest": DIGEST, "now": NOW, **use})  # type: ignore[arg-type]  # as given
    return refusal.value.say


def test_approved_for_this_digest() -> None:
    services.check_use(decide(ask()), digest=DIGEST, now=NOW)


def test_open_is_not_approved() -> None:
    assert refused(ask()) == "Nobody has approved this yet."
    assert refused(decide(ask(needed=2))) == "Nobody has approved this yet."


def test_another_digest() -> None:
    request = decide(ask())
    assert "something in it has changed since" in refused(request, digest=OTHER)
    assert "something in it has changed since" in refused(request, digest="")


def test_after_its_time() -> None:
    assert refused(decide(ask()), now=NOW + timedelta(days=9)) == "The approval could be used until 2 d ago. Ask again."


def test_voided_after_the_page_was_loaded() -> None:
    stale = decide(ask())
    services.void(stale, reason="edited", actor=Actor.machine("plan"), now=NOW)
    stale.state = Request.State.APPROVED
    assert "is void" in refused(stale)


def test_a_state_written_behind_our_back_is_no_approval() -> None:
    request = ask()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE approvals_request SET state = 'approved'")
    assert refused(request) == "0 of 1 approvals are there. Ask again."


def test_a_right_that_was_taken_away() -> None:
    request = decide(ask())
    services.check_use(request, digest=DIGEST, now=NOW, has_right=lambda user: user.username == "li")
    say = refused(request, has_right=lambda user: False)
    assert say == "Li approved this, but has lost the right approve_rollout on pool:3 since. Ask again."


def test_an_account_that_was_switched_off() -> None:
    request, li = decide(ask()), person("Li")
    li.is_active = False
    li.save()
    assert refused(request).startswith("Li approved this, but has lost the right")
