"""Who is told when: in order, until somebody acknowledges, silences, or it ends. Twice is once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import AuditEvent, User
from fleet.alarms import notices, silences
from fleet.alarms.ladder import Match
from fleet.models import Alert, Delivery
from tests import factories
from tests.db.fleet.alarms.world import AT, actor, alert, contact, end

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(seconds=10)


@pytest.fixture
def oncall() -> User:
    return factories.cast()["oncall"]


def told(row: Alert, what: str = "opened") -> list[tuple[str, int]]:
    rows = Delivery.objects.filter(alert=row, what=what).order_by("pk")
    return list(rows.values_list("contact__name", "turn"))


def sweep(minutes: float = 0) -> int:
    return notices.sweep(LATER + timedelta(minutes=minutes))


def test_the_first_contact_is_told_at_once_and_the_next_when_nobody_acknowledged() -> None:
    contact("first", repeat_minutes=0), contact("second", after_minutes=15, repeat_minutes=10)
    row = alert()
    assert [sweep(minutes) for minutes in (0, 0, 14, 15, 15, 26)] == [1, 0, 0, 1, 0, 1]
    assert told(row) == [("first", 0), ("second", 0), ("second", 1)]


def test_gateways_that_fail_together_are_waited_for() -> None:
    contact()
    row = alert()
    notices.sweep(AT + timedelta(seconds=9))
    assert told(row) == []
    sweep()
    assert told(row) == [("oncall", 0)]


def test_an_acknowledgement_stops_escalation_and_is_on_record(oncall: User) -> None:
    contact("first"), contact("second", after_minutes=15)
    row = alert()
    sweep()
    said: dict[str, Any] = {"by": oncall, "actor": actor(oncall), "say": "I look at RADIUS", "now": LATER}
    assert notices.acknowledge(row, **said) is True
    assert notices.acknowledge(row, **said) is False
    sweep(60)
    assert told(row) == [("first", 0)]
    event = AuditEvent.objects.get(verb="alert.acknowledged")
    assert (event.actor, event.reason) == ("oncall", "I look at RADIUS")


def test_an_acknowledgement_is_for_what_was_there(oncall: User) -> None:
    contact("first", repeat_minutes=0), contact("second", after_minutes=15, repeat_minutes=0)
    row = alert()
    sweep()
    notices.acknowledge(row, by=oncall, actor=actor(oncall), say="", now=LATER)
    for number, made in ((2, 0), (3, 1), (4, 0)):
        grown = {**row.details, "gateways": [f"gw-{n:02}" for n in range(number)]}
        Alert.objects.filter(pk=row.pk).update(details=grown)
        assert sweep(20) == made
    assert sweep(35) == 1
    assert told(row) == [("first", 0), ("first", 1), ("second", 1)]
    event = AuditEvent.objects.get(verb="alert.outgrown")
    assert event.reason == "It was acknowledged for 1 gateway and is about 3 now."


def test_who_may_not_hold_there_may_not_acknowledge() -> None:
    row = alert()
    auditor = factories.cast()["auditor"]
    with pytest.raises(Refused, match="You may not acknowledge this"):
        notices.acknowledge(row, by=auditor, actor=actor(auditor), say="", now=AT)


def test_what_has_ended_is_told_to_those_who_were_told_of_it() -> None:
    contact("first"), contact("never", after_minutes=60)
    row = alert()
    sweep()
    Delivery.objects.update(state="sent", settled_at=LATER)
    end(row)
    assert (sweep(1), sweep(1)) == (1, 0)
    assert told(row, "ended") == [("first", 0)]


def silenced(match: Match, by: User, *, hours: float = 1, now: datetime = AT) -> None:
    silences.begin(match, by=by, actor=actor(by), hours=hours, why="The RADIUS server is rebooted", now=now)


def test_nobody_is_told_while_it_is_silenced_and_everybody_after(oncall: User) -> None:
    contact()
    row = alert()
    silenced(Match(what="login-failures", pool=row.pool_id), oncall)
    assert (sweep(), sweep(58)) == (0, 0)
    assert sweep(61) == 1
    assert told(row) == [("oncall", 0)]


def test_a_silence_of_one_of_two_gateways_silences_nothing(oncall: User) -> None:
    contact()
    factories.gateway("gw-00")
    alert(gateways=["gw-00", "gw-01"])
    silenced(Match(gateway="gw-00"), oncall)
    assert sweep() == 1


@pytest.mark.parametrize(
    ("match", "hours", "say"),
    [
        (Match(), 1, "every pool"),
        (Match(pool=1), 0, "A silence ends"),
        (Match(pool=1), 721, "720 hours"),
        (Match(gateway="nowhere"), 1, "There is no gateway nowhere"),
        (Match(rollout=3), 1, "Name the rollout's pool too"),
    ],
)
def test_a_silence_is_about_something_and_ends(match: Match, hours: float, say: str, oncall: User) -> None:
    pool = factories.pool()
    factories.pool("asia")
    wanted = Match(match.what, pool.pk if match.pool else None, match.rollout, match.gateway)
    with pytest.raises(Refused, match=say):
        silenced(wanted, oncall, hours=hours)


def test_the_same_silence_again_is_the_one_that_holds(oncall: User) -> None:
    pool = factories.pool()
    silenced(Match(pool=pool.pk), oncall)
    silenced(Match(pool=pool.pk), oncall, hours=8)
    assert silences.standing(AT + timedelta(minutes=1)).count() == 1
    assert AuditEvent.objects.filter(verb="silence.begun").count() == 1


def test_contacts_of_another_pool_and_for_what_is_critical_only() -> None:
    asia = factories.pool("asia")
    contact("theirs", pool=asia), contact("loud", severity="critical"), contact("all")
    quiet, loud = alert("memory@pool:1", severity="warning"), alert()
    sweep()
    assert told(quiet) == [("all", 0)]
    assert sorted(told(loud)) == [("all", 0), ("loud", 0)]


def test_calls_and_drift_go_the_same_way() -> None:
    contact()
    gateway = factories.gateway("gw-00")
    Alert.objects.create(kind="rollback", subject="rollout:12", pool=factories.pool(), say="x", since=AT)
    Alert.objects.create(kind="drift", code="conf", gateway=gateway, say="x", since=AT)
    assert sweep() == 2


def test_a_contact_that_comes_later_is_told_what_stands_once() -> None:
    row = alert(at=timezone.now() - timedelta(days=2))
    sweep()
    contact("late", after_minutes=5)
    sweep(2000)
    assert len(told(row)) == 1
