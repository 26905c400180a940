"""Pages about 5,000 gateways ask no more questions than those about 12, and stay small enough for a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fleet.models import Gateway
from tests import factories as f
from upgrader import plan
from upgrader.models import Rollout, Upgrade, Wave
from upgrader.states import R, U, W

Browse = Callable[[str], Client]
QUERIES, BYTES = 55, 200_000
GATEWAYS = 5_000


def big(number: int, state: R = R.UPGRADING) -> Rollout:
    """A rollout in the middle of it: a first wave that drains, a second one at work, the others still to come."""
    people, now, where = f.cast(), timezone.now(), f.pool("big")
    for who, rights in (("operator", f.OPERATOR), ("oncall", f.ONCALL)):
        f.person(who, rights, where)
    facts = f.gateway("gw-00000", now=now, on=where).facts
    columns = {"pool": where, "release": "1.1.6-2", "sessions": 12, "facts": facts, "facts_at": now}
    Gateway.objects.bulk_create(
        [Gateway(name=f"gw-{row:05}", address=f"gw-{row:05}", **columns) for row in range(1, number)], batch_size=500
    )
    rollout = f.draft(people["operator"], now=now, on=where)
    Rollout.objects.filter(pk=rollout.pk).update(state=state)
    if state is R.UPGRADING:
        Wave.objects.filter(rollout=rollout, number=1).update(state=W.PASSED)
        Wave.objects.filter(rollout=rollout, number=2).update(state=W.UPGRADING)
        mine = Upgrade.objects.filter(wave__rollout=rollout, wave__number=2)
        busy = list(mine.values_list("pk", flat=True)[: number // 20])
        mine.filter(pk__in=busy).update(state=U.UPGRADING, busy=True, from_slot=1, to_slot=2)
        mine.exclude(pk__in=busy).filter(pk__lt=max(busy) + number // 2).update(state=U.DRAINING)
    rollout.refresh_from_db()
    return rollout


@pytest.mark.parametrize("state", [R.UPGRADING, R.WAITING_APPROVAL])
def test_pages_of_a_big_rollout_are_bounded(browse: Browse, state: R) -> None:
    rollout = big(GATEWAYS, state)
    assert sum(len(wave["gateways"]) for wave in rollout.plan["waves"]) == GATEWAYS
    assert plan.digest(rollout.plan) == rollout.digest
    client, measured = browse("oncall"), {}
    for path, part in ((f"/rollouts/{rollout.pk}/", "rollout"), (f"/decisions/{rollout.pk}/", ""), ("/", "overview")):
        for target in ("", part):
            with CaptureQueriesContext(connection) as asked:
                page = client.get(path, headers={"HX-Target": target} if target else {})
            assert page.status_code == 200
            measured[f"{path} {target}"] = (len(asked), len(page.content))
    # Said in the failure: every page with its queries and bytes.
    assert {name: said for name, said in measured.items() if said[0] > QUERIES or said[1] > BYTES} == {}
