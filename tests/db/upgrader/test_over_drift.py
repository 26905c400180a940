"""A rollout does not start over drift, unless the plan that was approved names exactly that drift."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from fleet import alerts
from fleet.drift import Difference
from fleet.models import Gateway
from tests.db.upgrader.world import Fleet
from upgrader import services
from upgrader.models import Rollout
from upgrader.states import R


def drift(fleet: Fleet, name: str, now: str = "b" * 64, code: str = "ocgate") -> None:
    say = f"Something on {name} was changed."
    alerts.note(Gateway.objects.get(name=name), [Difference(code, say, "a" * 64, now)], now=fleet.now())


def draft(fleet: Fleet) -> Rollout:
    return services.draft(
        release=fleet.release,
        pool=fleet.pool,
        strategy=fleet.strategy,
        by=fleet.ola,
        now=fleet.now(),
        over_drift=True,
    )


def submit(fleet: Fleet, rollout: Rollout) -> None:
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    rollout.refresh_from_db()


def approve(fleet: Fleet, rollout: Rollout) -> None:
    cal = fleet.who(fleet.cal)
    services.decide(rollout, yes=True, reason="", digest=rollout.digest, actor=cal, now=fleet.now())
    rollout.refresh_from_db()


def test_it_is_not_submitted_over_drift_and_the_sentence_names_gateway_and_part(fleet: Fleet) -> None:
    drift(fleet, "gw-2")
    with pytest.raises(Refused, match=r"gw-2 \(ocgate\) drifted from what was agreed"):
        submit(fleet, fleet.draft())


def test_drift_elsewhere_is_no_obstacle(fleet: Fleet) -> None:
    other = Gateway.objects.create(name="far-1", pool=fleet.pool, adapter="memory", address="far-1", state="left")
    alerts.note(other, [Difference("keys", "x", "", "b" * 64)], now=fleet.now())
    submit(fleet, fleet.draft())


def test_a_plan_that_includes_it_starts_over_it(fleet: Fleet) -> None:
    drift(fleet, "gw-2")
    rollout = draft(fleet)
    assert [(entry["gateway"], entry["code"]) for entry in rollout.plan["drift"]] == [("gw-2", "ocgate")]
    submit(fleet, rollout)
    approve(fleet, rollout)
    fleet.until(rollout, R.WAITING_PROMOTION)


def test_other_drift_than_the_included_is_not_included(fleet: Fleet) -> None:
    drift(fleet, "gw-2")
    rollout = draft(fleet)
    drift(fleet, "gw-2", now="c" * 64)
    with pytest.raises(Refused, match="gw-2"):
        submit(fleet, rollout)


def test_drift_that_came_after_the_plan_was_submitted_stops_the_yes(fleet: Fleet) -> None:
    rollout = fleet.draft()
    submit(fleet, rollout)
    drift(fleet, "gw-3", code="trust")
    with pytest.raises(Refused, match=r"gw-3 \(the pinned signers\)"):
        approve(fleet, rollout)


def test_drift_that_came_later_stops_what_has_not_begun_and_nothing_else(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.until(rollout, R.WAITING_PROMOTION)
    done, waiting = (
        next(u.gateway.name for u in fleet.upgrades(rollout) if u.wave.number == number) for number in (1, 2)
    )
    drift(fleet, done)
    fleet.act("promote", rollout)
    drift(fleet, waiting)
    fleet.work()
    rollout.refresh_from_db()
    assert rollout.state == R.HELD
    assert waiting in rollout.reason
    assert done not in rollout.reason


def test_the_digest_covers_the_drift(fleet: Fleet) -> None:
    plain = fleet.draft().digest
    drift(fleet, "gw-2")
    assert draft(fleet).digest != plain
