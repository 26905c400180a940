"""A round of a probe host: who is due is asked once, all of it is stored together, and a ban is told from an outage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from fleet import sealed
from fleet.errors import RetryLater
from fleet.metrics import pages as measured
from fleet.metrics.standing import Fact
from fleet.models import Gateway, Probe, ProbeHost, ProbeReading, Watch
from fleet.probes import door, journal, rollup, rounds
from tests import factories

pytestmark = pytest.mark.django_db
NOW = 1_795_460_400.0  # a whole hour
GOOD = {
    **{"outcome": "ok", "stage": "traffic", "why": "", "connections": 1, "address": "10.101.6.9", "dtls": True},
    **{"connect_ms": 3.0, "handshake_ms": 40.0, "login_ms": 90.0, "tunnel_ms": 300.0},
    **{"sent": 10, "lost": 1, "rtt_ms": 12.5, "jitter_ms": 0.5, "kbit_s": 9000},
}
CONFIG = {"port": 8443, "slots": {"1": {"pool4": "10.101.4.0/23"}, "2": {"pool4": "10.101.6.0/23"}}}
FACTS = {"slots": [{"slot": 2, "release": "1.3.0-2", "state": "serving"}]}


class Prober:
    """A probe host that finds what it is told, and notes what it was asked."""

    def __init__(self, found: Mapping[str, Any], *, silent: bool = False) -> None:
        self.found, self.silent = found, silent
        self.asked: list[Mapping[str, Any]] = []
        self.closed = 0

    def __call__(self, _: ProbeHost) -> Prober:
        return self

    def probe(self, wishes: Sequence[Mapping[str, Any]], *, seen: Callable[[Mapping[str, Any]], None]) -> None:
        self.asked += wishes
        for wish in wishes[:1] if self.silent else wishes:
            seen({"gateway": wish["gateway"], **self.found})
        if self.silent:
            raise RetryLater("probe-1 does not answer.", code="unreachable")

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def host() -> ProbeHost:
    where = {"address": "192.0.2.40", "seen_from": "192.0.2.40", "key_kind": "ssh-ed25519", "key": "AAAA"}
    return ProbeHost.objects.create(name="probe-1", pool=factories.pool(), **where)


@pytest.fixture
def gateway() -> Gateway:
    return made("fra-gw-01")


def made(name: str, **other: Any) -> Gateway:
    columns = {"address": "198.19.1.11", "public_address": "203.0.113.11", "config": CONFIG, "facts": FACTS, **other}
    return Gateway.objects.create(name=name, pool=factories.pool(), **columns)


def probed(host: ProbeHost, found: Mapping[str, Any], *, at: float = NOW) -> Prober:
    prober = Prober(found)
    rounds.probe(host, opener=prober, clock=lambda: at)
    return prober


def test_a_good_probe_is_stored_with_the_slot_that_answered(host: ProbeHost, gateway: Gateway) -> None:
    sealed.seal("probe:fra-gw-01", b"probe\nsecret")
    prober = probed(host, GOOD)
    (wish,) = prober.asked
    assert (wish["host"], wish["port"], wish["user"], wish["password"]) == ("203.0.113.11", 8443, "probe", "secret")
    reading, probe = ProbeReading.objects.get(), Probe.objects.get()
    assert (reading.slot, reading.release, reading.tried, reading.failed) == (2, "1.3.0-2", 1, 0)
    assert (reading.login_ms, reading.rtt_ms, reading.sent, reading.lost, reading.dtls) == (90.0, 12.5, 10, 1, 1)
    assert (probe.outcome, probe.good_at, probe.due_at, prober.closed) == ("ok", NOW, NOW + 60, 1)
    assert "secret" not in str(probe.values) + probe.say


def test_nobody_is_probed_before_his_time_and_the_reserved_stay_so(host: ProbeHost, gateway: Gateway) -> None:
    probed(host, GOOD)
    assert not probed(host, GOOD, at=NOW + 59).asked
    assert rounds.due_hosts(NOW + 59) == []
    assert rounds.due_hosts(NOW + 60) == [host.pk]
    # Two workers at once: one gets it.
    assert journal.reserve(host.pk, [gateway.pk], now=NOW + 60, until=NOW + 120) == [gateway.pk]
    assert journal.reserve(host.pk, [gateway.pk], now=NOW + 60, until=NOW + 120) == []


def test_only_what_can_be_probed_is(host: ProbeHost, gateway: Gateway) -> None:
    made("simulated", adapter="memory")
    made("nowhere", public_address="")
    made("shut", state="quarantined")
    assert [one.name for one in rounds.due(host, NOW)] == ["fra-gw-01"]


def test_of_too_many_the_new_and_then_the_most_overdue_come_first(
    host: ProbeHost, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MOST", 2)
    for name, ago in (("late", 50.0), ("later", 90.0), ("early", -10.0)):
        Probe.objects.create(host=host, gateway=made(name), due_at=NOW - ago)
    assert [one.name for one in rounds.due(host, NOW)] == ["fra-gw-01", "later"]


def test_without_a_probe_account_it_ends_at_the_form(host: ProbeHost, gateway: Gateway) -> None:
    prober = probed(host, {"outcome": "form", "stage": "form", "handshake_ms": 20.0})
    assert prober.asked[0]["user"] == ""
    assert (Probe.objects.get().outcome, ProbeReading.objects.get().failed) == ("form", 0)


def test_failures_count_in_a_row_and_a_wrong_password_waits(host: ProbeHost, gateway: Gateway) -> None:
    refused = {"outcome": "refused", "stage": "password", "why": "Login failed.", "connections": 1}
    for times in (1, 2):
        probed(host, refused, at=NOW + 1000 * times)
        assert Probe.objects.get().failures == times
    assert Probe.objects.get().due_at == NOW + 2000 + 330
    probed(host, GOOD, at=NOW + 3000)
    assert (Probe.objects.get().failures, ProbeReading.objects.filter(failed=1).count()) == (0, 2)


def watched(gateway: Gateway, at: float, **slot: Any) -> None:
    """The collector heard of it at that time."""
    columns = {"asked_at": at, "answered_at": at, "used_at": at, "slots": {"2": {"at": at, **slot}}}
    Watch.objects.update_or_create(gateway=gateway, defaults=columns)


def test_a_ban_is_no_failure_and_its_own_fact(host: ProbeHost, gateway: Gateway) -> None:
    closed = {"outcome": "closed", "stage": "tls", "why": "closed"}
    watched(gateway, NOW, banned_probes=1)
    probed(host, closed)
    probe, reading = Probe.objects.get(), ProbeReading.objects.get()
    assert (probe.outcome, probe.failures, reading.failed, reading.banned) == ("banned", 0, 0, 1)
    assert probe.due_at == NOW + 330
    standing = measured.standing_of(gateway, NOW + 1)
    assert (standing.fact, standing.evidence) == (Fact.PROBE_BANNED, True)
    assert "has banned the probe host probe-1" in standing.say


@pytest.mark.parametrize("heard", ["never", "long ago", "behind a balancer"])
def test_closed_is_closed_where_the_gateway_says_nothing(host: ProbeHost, gateway: Gateway, heard: str) -> None:
    if heard != "never":
        watched(gateway, NOW - (600 if heard == "long ago" else 1))
    if heard == "behind a balancer":
        gateway.front = factories.pool().balancers.create(name="front")
        gateway.save()
    probed(host, {"outcome": "closed", "stage": "tls", "why": "closed"})
    assert (Probe.objects.get().outcome, ProbeReading.objects.get().failed) == ("closed", 1)


def test_a_host_that_falls_silent_is_its_own_fault(host: ProbeHost, gateway: Gateway) -> None:
    made("fra-gw-02")
    prober = Prober(GOOD, silent=True)
    assert rounds.probe(host, opener=prober, clock=lambda: NOW) == 1
    host.refresh_from_db()
    assert (host.misses, host.say, prober.closed) == (1, "probe-1 does not answer.", 1)
    assert Probe.objects.filter(at=0, failures=0, due_at__gt=NOW).count() == 1
    assert ProbeReading.objects.count() == 1
    probed(host, GOOD, at=NOW + 100)
    host.refresh_from_db()
    assert (host.misses, host.say) == (0, "")


def test_what_a_host_makes_up_is_not_stored(host: ProbeHost, gateway: Gateway) -> None:
    probed(host, {**GOOD, "login_ms": "DROP", "rtt_ms": -1, "kbit_s": True, "gateway": "another"})
    assert not ProbeReading.objects.exists()
    probed(
        host,
        {**GOOD, "login_ms": "soon", "rtt_ms": -1, "address": "no address", "dtls": "x", "sent": "all", "why": 7},
        at=NOW + 100,
    )
    reading = ProbeReading.objects.get()
    assert (reading.login_ms, reading.rtt_ms, reading.slot) == (None, None, 0)


def test_hours_are_made_once_and_old_ones_go(host: ProbeHost, gateway: Gateway) -> None:
    for minute in range(3):
        probed(host, {**GOOD, "login_ms": 80.0 + 10 * minute}, at=NOW + 100 * minute)
    assert rollup.roll_up(NOW + 3600) == 0
    assert rollup.roll_up(NOW + 3800) == 1
    assert rollup.roll_up(NOW + 3800) == 0
    hour = ProbeReading.objects.get(span=ProbeReading.HOUR)
    assert (hour.at, hour.tried, hour.login_ms, hour.sent, hour.lost) == (NOW, 3, 90.0, 30, 3)
    assert rollup.summed(gateway.pk, since=NOW)[host.pk]["login_ms"] == 90.0
    # Hours in which nobody probed hold nothing up.
    probed(host, GOOD, at=NOW + 200 * 3600)
    assert rollup.roll_up(NOW + 202 * 3600) == 1
    assert rollup.purge(NOW + 8 * 86400) == 3
    assert ProbeReading.objects.filter(span=ProbeReading.HOUR).count() == 2


def test_both_slots_of_a_share_are_told_apart(host: ProbeHost, gateway: Gateway) -> None:
    running = [{"slot": slot, "release": name, "state": "serving"} for slot, name in ((1, "1.1.6-3"), (2, "1.3.0-2"))]
    Gateway.objects.update(facts={"slots": running})
    refused = {"outcome": "refused", "stage": "password", "why": "Login failed."}
    found: Sequence[Mapping[str, Any]] = (GOOD, {**GOOD, "address": "10.101.4.7", "login_ms": 30.0}, GOOD, refused)
    for place, one in enumerate(found):
        probed(host, one, at=NOW + 100 * place)
    sides = rollup.by_slot(gateway.pk, since=NOW)
    assert {key: side["tried"] for key, side in sides.items()} == {(0, ""): 1, (1, "1.1.6-3"): 1, (2, "1.3.0-2"): 2}
    assert (sides[1, "1.1.6-3"]["login_ms"], sides[2, "1.3.0-2"]["login_ms"]) == (30.0, 90.0)
