"""Probe hosts, Prometheus and other gateways as evidence about a gateway as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.models import Gateway, OutsideReading, ProbeHost, ProbeReading, PrometheusSource, Reading
from fleet.prometheus import past
from fleet.sources import read
from tests.db.upgrader.fronts import strategy, without_nft
from tests.db.upgrader.test_baselines import COLUMNS, numbers
from tests.db.upgrader.world import Fleet
from upgrader.models import Rollout, Verdict, Window
from upgrader.states import Outcome
from upgrader.zones import zone_of

WAVES = [{"title": "one", "count": 1}, {"title": "rest", "rest": True}]
KEY = {"key_kind": "ssh-ed25519", "key": "AAAA", "seen_from": "198.51.100.9", "address": "198.51.100.9"}


def host(fleet: Fleet) -> ProbeHost:
    return ProbeHost.objects.create(name="probe-berlin", pool=fleet.pool, **KEY)


def probed(fleet: Fleet, host: ProbeHost, minutes: range, *, bad: str = "", slow: str = "") -> None:
    """A sign-in each minute at every gateway: 200 ms and a bit, none at `bad`, three times as long at `slow`."""
    columns: dict[str, Any] = {"host": host, "span": 1, "tried": 1, "banned": 0, "sent": 10, "lost": 0}
    rows = []
    for row in Gateway.objects.all():
        for minute in minutes:
            took = (200.0 + 7 * (minute * row.pk % 5)) * (3 if row.name == slow else 1)
            told = {"failed": 1} if row.name == bad else {"failed": 0, "login_ms": took, "handshake_ms": took / 4}
            rows.append(ProbeReading(gateway=row, at=int(fleet.seconds) + 60 * minute, **columns, **told))
    ProbeReading.objects.bulk_create(rows)


def looked(fleet: Fleet, times: int) -> None:
    """So many looks, two minutes apart."""
    for _ in range(times):
        fleet.seconds += 119
        fleet.turn(1)


def watched(fleet: Fleet, **spec: Any) -> Rollout:
    strategy(fleet, waves=WAVES, observe_seconds=1200, poll_seconds=120, trial_seconds=600, **spec)
    rollout = fleet.started()
    fleet.due_step("observe")
    return rollout


def test_sign_ins_that_fail_from_outside_ask_a_person_and_say_who_saw_it(fleet: Fleet) -> None:
    berlin = host(fleet)
    probed(fleet, berlin, range(-120, 0))
    rollout = watched(fleet)
    probed(fleet, berlin, range(15), bad="gw-1")
    looked(fleet, 9)
    found = numbers(rollout)["metrics"]["outside_logins"]
    assert (found["by"], found["baseline"]) == ("1 probe host outside", "other gateways and its own hours before")
    assert found["canary"]["failed"] == found["canary"]["tried"] > 8
    assert found["others"]["failed"] == 0
    verdict = Verdict.objects.filter(wave__rollout=rollout).latest("at")
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "100 % of sign-ins from outside failed on 1.3.0-2" in verdict.sentence


def test_times_from_outside_are_held_against_other_gateways_and_the_time_before(fleet: Fleet) -> None:
    berlin = host(fleet)
    probed(fleet, berlin, range(-60, 0))
    rollout = watched(fleet)
    probed(fleet, berlin, range(18), slow="gw-1")
    looked(fleet, 10)
    found = numbers(rollout)["metrics"]["outside_time"]
    assert found["baseline"] == "other gateways at the same time"
    assert found["ratio"] == pytest.approx(3, rel=0.1)
    assert found["log_e"] > 5


def test_a_source_that_is_named_and_quiet_is_no_evidence(fleet: Fleet) -> None:
    rollout = watched(fleet, sources=["gateway", "probes"])
    looked(fleet, 4)
    verdict = Verdict.objects.filter(wave__rollout=rollout).latest("at")
    assert verdict.outcome == Outcome.NO_EVIDENCE
    assert verdict.sentence.startswith("gw-1 is simulated: nobody can sign in at it.")
    assert verdict.numbers["facts"]["gw-1"] == "collector down"


def sized(fleet: Fleet, seconds: range, *, slow: str = "") -> None:
    """What the collector would have written each 5 s: round trips of 20 ms, three times as long at `slow`."""
    empty = dict.fromkeys(set(COLUMNS) - {"gateway_id", "span", "at", "slot", "release", "seconds", "sessions"})
    rows = []
    for row in Gateway.objects.all():
        for second in seconds:
            took = (20.0 + second // 30 * row.pk % 5) * (3 if row.name == slow else 1)
            told = {**empty, "sessions": 30.0, "rtt_ms": took, "seconds": 5.0, "release": "x"}
            rows.append(Reading(gateway=row, span=5, at=int(fleet.seconds) + second, slot=1, **told))
    Reading.objects.bulk_create(rows, ignore_conflicts=True)


def test_in_place_sizes_are_held_against_other_gateways(fleet: Fleet) -> None:
    without_nft(fleet)
    sized(fleet, range(-3600, 0, 10))
    rollout = watched(fleet)
    sized(fleet, range(0, 720, 10), slow="gw-1")
    looked(fleet, 6)
    found = numbers(rollout)["metrics"]["rtt"]
    assert (found["baseline"], found["by"]) == ("other gateways at the same time", "the gateways")
    assert found["ratio"] == pytest.approx(3, rel=0.1)


def test_prometheus_is_the_store_where_the_collector_has_nothing(fleet: Fleet) -> None:
    row = Gateway.objects.get(name="gw-1")
    PrometheusSource.objects.create(name="prom", pool=fleet.pool, url="http://127.0.0.1:9")
    for ago in range(0, 300, 30):
        OutsideReading.objects.create(gateway=row, at=fleet.seconds - ago, sessions=10, logins=6.0, failures=2.0)
    told = past.since([row.pk], since=fleet.seconds - 300, until=fleet.seconds)
    assert (told.logins, told.failures, told.minutes, told.looks) == (30, 10, 50.0, 10)
    asked: list[str] = []

    def answer(_: object, query: str) -> object:
        asked.append(query)
        row = {"metric": {"instance": "gw-1"}, "value": [0, "0.5"]}
        return {"status": "success", "data": {"resultType": "vector", "result": [row]}}

    weeks = past.counted(row, [3600, 7200], ask=answer)
    assert (weeks.logins, weeks.failures, weeks.looks) == (60, 60, 2)
    assert asked[0].startswith("avg_over_time((60 * sum by (instance) (rate(vpn_handled_sessions{")
    assert asked[0].endswith("[1h:5m] @ 7200)")


def test_how_a_gateway_stands_by_prometheus_is_one_of_the_facts(fleet: Fleet) -> None:
    row = Gateway.objects.get(name="gw-1")
    source = PrometheusSource.objects.create(name="prom", pool=fleet.pool, url="http://127.0.0.1:9")

    def fact() -> str:
        return str(read.standings(row, fleet.seconds)["prometheus"].fact)

    assert fact() == "collector down"
    PrometheusSource.objects.filter(pk=source.pk).update(answered_at=fleet.seconds)
    assert fact() == "gateway down"
    OutsideReading.objects.create(gateway=row, at=fleet.seconds - 5, sessions=0, logins=0.0)
    assert fact() == "no traffic"
    OutsideReading.objects.create(gateway=row, at=fleet.seconds - 4, sessions=3)
    assert fact() == "fine"


def test_the_zone_is_that_of_the_pools_windows(fleet: Fleet) -> None:
    assert str(zone_of(fleet.pool.pk)) == "UTC"
    about = {"title": "nights", "rules": [], "made_by": fleet.ola, "made_at": fleet.now()}
    Window.objects.create(zone="Asia/Tokyo", **about)
    assert str(zone_of(fleet.pool.pk)) == "Asia/Tokyo"
    Window.objects.create(zone="Europe/Berlin", pool=fleet.pool, **about)
    assert str(zone_of(fleet.pool.pk)) == "Europe/Berlin"
