"""Rules against readings: one alert for forty gateways, by wave or by pool, and nothing that fails open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from approvals.models import AuditEvent
from fleet.alarms import watch
from fleet.alarms.judge import BLIND_SECONDS
from fleet.alarms.rules import DEFAULTS
from fleet.alarms.watch import Group
from fleet.models import AlarmRule, AlarmState, Alert, Gateway, Probe, ProbeHost, Reading, Ticket, Watch
from tests import factories
from tests.db.fleet.alarms.world import AT, NOW, answered, measured, read

pytestmark = pytest.mark.django_db


def standing() -> list[str]:
    return sorted(Alert.objects.filter(kind="alarm", ended_at=None).values_list("subject", flat=True))


def failing(gateways: list[Gateway], *, until: float = NOW) -> None:
    read(gateways, until=until, failures=5, logins=5)


def looked(*moments: float, groups: watch.Groups | None = None, answer: bool = True) -> None:
    for moment in moments:
        for gateway in Gateway.objects.all() if answer else []:
            answered(gateway, moment)
        watch.look(groups or {}, now=moment)


def test_forty_gateways_that_fail_are_one_alert_with_a_count_and_names() -> None:
    gateways = measured(40)
    failing(gateways)
    looked(NOW, NOW + 60)
    row = Alert.objects.get(kind="alarm")
    assert row.say == "More than 20 % of sign-ins fail on 40 gateways for 1 min: gw-00, gw-01, gw-02 and 37 more."
    assert len(row.details["gateways"]) == 40
    assert row.details["severity"] == "critical"
    assert row.pool == factories.pool()


def test_it_waits_for_its_time_and_writes_nothing_twice() -> None:
    failing(measured(1))
    looked(NOW, NOW + 30)
    assert standing() == []
    looked(NOW + 60, NOW + 65, NOW + 70)
    assert len(standing()) == 1
    assert AuditEvent.objects.filter(verb__startswith="alert.").count() == 1


def test_gateways_of_a_wave_are_one_alert_with_the_page_on_which_it_is_decided() -> None:
    gateways = measured(4)
    wave = Group("wave:7", "wave 2 of rollout 5", "/decisions/5/", rollout=5)
    failing(gateways)
    looked(NOW, NOW + 60, groups={one.pk: wave for one in gateways[:3]})
    mine = Alert.objects.get(subject__contains="@wave:7")
    assert (mine.link, mine.details["rollout"], len(mine.details["gateways"])) == ("/decisions/5/", 5, 3)
    assert Alert.objects.get(subject__contains="@pool:").details["gateways"] == ["gw-03"]
    looked(NOW + 65)  # the wave is over; nobody is called anew
    assert len(standing()) == 2


def test_it_ends_at_its_other_value_only() -> None:
    gateways = measured(1)
    failing(gateways)
    looked(NOW, NOW + 60)
    read(gateways, until=NOW + 200, looks=20, failures=1, logins=6)  # 14 %: between 10 and 20
    looked(NOW + 200)
    assert len(standing()) == 1
    read(gateways, until=NOW + 400, looks=20, failures=0, logins=6)
    looked(NOW + 400)
    assert standing() == []
    assert "no longer passed" in Alert.objects.get(kind="alarm").ended_why


def test_a_gateway_that_falls_silent_is_its_own_alert_and_keeps_those_that_stand() -> None:
    gateways = measured(1)
    failing(gateways)
    looked(NOW, NOW + 60)
    silent = {"asked_at": NOW + 300, "answered_at": NOW + 60, "misses": 9, "say": "timed out"}
    Watch.objects.update(**silent)
    looked(NOW + 300, answer=False)
    assert [one.partition("@")[0] for one in standing()] == ["gateway-silent", "login-failures"]


def test_one_that_has_never_answered_is_silent_when_it_was_asked_for_a_minute() -> None:
    measured(1)
    for misses, moment, found in ((3, NOW, []), (4, NOW + 30, ["gateway-silent"])):  # 5 + 5 + 30 s, and 30 s more
        Watch.objects.update(asked_at=moment, answered_at=0, misses=misses, slots={})
        watch.look({}, now=moment)
        assert [one.partition("@")[0] for one in standing()] == found


def test_a_collector_that_asks_nobody_is_an_alert_of_its_own() -> None:
    measured(2)
    looked(NOW + 120, NOW + 155, answer=False)
    row = Alert.objects.get(kind="alarm")
    assert row.say.startswith("The collector has not asked for more than 1 min on 2 gateways")


def test_a_probe_that_is_banned_and_an_ocserv_that_is_silent() -> None:
    first, second = measured(2)
    for moment in (NOW, NOW + 60):
        answered(first, moment, banned_ours=1)
        Watch.objects.filter(gateway=second).update(asked_at=moment, answered_at=moment, slots={})
        watch.look({}, now=moment)
    assert [one.partition("@")[0] for one in standing()] == ["probe-banned", "slot-silent"]


def test_a_probe_host_that_is_banned_is_no_gateway_that_is_down() -> None:
    gateway = measured(1)[0]
    host = ProbeHost.objects.create(name="probe-fra", pool=gateway.pool, address="203.0.113.9", seen_from="203.0.113.9")
    Probe.objects.create(host=host, gateway=gateway, due_at=NOW, at=NOW, outcome="banned")
    looked(NOW)
    assert Alert.objects.get(kind="alarm").say == "Our own probe is banned on 1 gateway: gw-00."


def test_what_can_not_be_judged_is_an_alert_and_not_silence() -> None:
    gateways = measured(1)
    for moment in (NOW, NOW + BLIND_SECONDS):
        read(gateways, until=moment, failures=None, logins=None)
        looked(moment)
    row = Alert.objects.get(subject__startswith="blind@")
    assert "What can't be judged there: sign-ins that fail." in row.say


@pytest.mark.parametrize("bad", [{"threshold": "many"}, {"metric": "weather"}, "nothing"])
def test_a_rule_that_can_not_be_read_is_an_alert_and_the_others_are_judged(bad: Any) -> None:
    spec = {**DEFAULTS["memory"].spec, **bad} if isinstance(bad, dict) else bad
    by = factories.person("operator")
    AlarmRule.objects.create(code="memory", version=1, spec=spec, made_by=by, made_at=AT, why="a slip")
    failing(measured(1))
    looked(NOW, NOW + 60)
    assert [one.partition("@")[0] for one in standing()] == ["login-failures", "unreadable"]
    assert "The rule memory of the fleet can't be read" in Alert.objects.get(subject__startswith="unreadable").say


def test_a_pools_own_rule_replaces_the_fleets_there() -> None:
    here, there = factories.pool("eu-west"), factories.pool("asia")
    failing([*measured(1, on=here), *measured(1, on=there, begin=5)])
    spec = {**DEFAULTS["login-failures"].spec, "threshold": 90}
    by = factories.person("operator")
    AlarmRule.objects.create(
        code="login-failures", pool=there, version=1, spec=spec, made_by=by, made_at=AT, why="they mistype"
    )
    looked(NOW, NOW + 60)
    assert Alert.objects.get(kind="alarm").pool == here


def test_a_crash_is_told_at_once() -> None:
    gateways = measured(1)
    read(gateways, looks=1, crashes=1)
    looked(NOW)
    assert Alert.objects.get(kind="alarm").say == "An ocserv crashed on 1 gateway: gw-00."


def test_gateways_that_are_left_out_are_said(settings: Any) -> None:
    settings.COLLECT_MOST = 2
    measured(5)
    looked(NOW)
    assert "3 gateways are beyond the 2 that the collector asks" in Alert.objects.get(kind="alarm").say


def test_without_a_collector_nothing_is_judged_and_what_stood_ends(settings: Any) -> None:
    failing(measured(1))
    looked(NOW, NOW + 60)
    settings.COLLECT_SECONDS = 0
    looked(NOW + 70)
    assert "switched off" in Alert.objects.get(kind="alarm").ended_why


def test_it_takes_the_same_queries_however_many_gateways(django_assert_max_num_queries: Any) -> None:
    failing(measured(60))
    looked(NOW)
    with django_assert_max_num_queries(16):
        watch.look({}, now=NOW + 10)
    assert AlarmState.objects.count() == 60


def complain(gateway: Gateway, *, minutes_ago: float = 5) -> None:
    at = AT - timedelta(minutes=minutes_ago)
    Ticket.objects.create(gateway=gateway, text="It hangs", reported_at=at, received_at=at, reported_by="oncall")


def test_complaints_are_held_against_sessions_of_the_last_hour() -> None:
    quiet, loud, crowded = measured(3)
    for gateway in (loud, loud, crowded, crowded):
        complain(gateway)
    complain(quiet, minutes_ago=90)
    about = {"span": 60, "at": int(NOW) - 600, "slot": 1, "seconds": 60.0}
    Reading.objects.create(gateway=crowded, **about, sessions=300, arrivals=200)  # 2 of 500: 4 in 1,000
    looked(NOW, NOW + 60)  # 2 of at least 200: 10 in 1,000
    row = Alert.objects.get(kind="alarm")
    assert row.say == "More than 5 of 1,000 sessions are complained about on 1 gateway for 1 min: gw-01."
