"""Rules by what probe hosts find and by what Prometheus has, where the collector asks nobody, too."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.alarms import watch
from fleet.models import Alert, Gateway, OutsideReading, Probe, ProbeHost, ProbeReading, PrometheusSource
from tests import factories
from tests.db.fleet.alarms.world import NOW, answered, measured

pytestmark = pytest.mark.django_db
KEY = {"key_kind": "ssh-ed25519", "key": "AAAA", "seen_from": "198.51.100.9", "address": "198.51.100.9"}


def alarms() -> dict[str, str]:
    rows = Alert.objects.filter(kind="alarm", ended_at=None)
    return {row.details["rule"]: row.say for row in rows}


def looked(*moments: float) -> None:
    for moment in moments:
        watch.look({}, now=moment)


def hosts(gateway: Gateway, **outcomes: str) -> None:
    """Each of these probe hosts found this at NOW, as it had the time before."""
    for name, outcome in outcomes.items():
        host, _ = ProbeHost.objects.get_or_create(name=name, defaults={"pool": gateway.pool, **KEY})
        failures = 0 if outcome in ("ok", "banned") else 2
        told = {"due_at": NOW, "at": NOW, "outcome": outcome, "failures": failures}
        Probe.objects.update_or_create(host=host, gateway=gateway, defaults=told)


@pytest.mark.parametrize(
    ("outcomes", "fires"),
    [
        ({"berlin": "refused", "oslo": "late"}, True),
        ({"berlin": "refused", "oslo": "ok"}, False),
        ({"berlin": "refused", "oslo": "banned"}, True),
        ({"berlin": "banned", "oslo": "banned"}, False),
    ],
)
def test_a_gateway_that_nobody_signs_in_at_from_outside(outcomes: dict[str, str], fires: bool) -> None:
    (gateway,) = measured(1)
    for moment in (NOW, NOW + 60):
        answered(gateway, moment)
        hosts(gateway, **outcomes)
        looked(moment)
    said = "More than 50 % of the probe hosts can’t sign in from outside on 1 gateway for 1 min: gw-00."
    assert alarms().get("outside-down", "") == (said if fires else "")
    assert ("probe-banned" in alarms()) == ("banned" in outcomes.values())


def test_loss_and_slow_sign_ins_are_those_of_the_last_minutes() -> None:
    (gateway,) = measured(1)
    hosts(gateway, berlin="ok")
    about = {"host": ProbeHost.objects.get(), "gateway": gateway, "span": 1, "tried": 1, "failed": 0, "banned": 0}
    for minute in range(10):
        at = int(NOW) - 60 * minute
        ProbeReading.objects.create(at=at, sent=10, lost=3, login_ms=6000.0, **about)
    for moment in (NOW, NOW + 180):
        answered(gateway, moment)
        looked(moment)
    assert alarms() == {
        "outside-loss": "More than 10 % of packets from outside are lost on 1 gateway for 3 min: gw-00.",
        "outside-time": "Signing in from outside takes more than 5,000 ms on 1 gateway for 3 min: gw-00.",
    }


def told(gateway: Gateway, at: float, **values: Any) -> None:
    OutsideReading.objects.create(gateway=gateway, at=int(at), sessions=30, **values)
    PrometheusSource.objects.get_or_create(pool=gateway.pool, defaults={"name": "prom", "url": "http://127.0.0.1:9"})
    PrometheusSource.objects.update(answered_at=at, asked_at=at)


def test_without_the_collector_prometheus_is_what_rules_read(settings: Any) -> None:
    settings.COLLECT_SECONDS = 0
    bad, gone = measured(2)
    told(gone, NOW - 400)
    for ago in range(240, -1, -30):
        told(bad, NOW - ago, logins=30.0, failures=20.0, errors=0.0, cpu_percent=97.0)
    looked(NOW - 70, NOW)
    found = alarms()
    assert found["login-failures"] == "More than 20 % of sign-ins fail on 1 gateway for 1 min: gw-00."
    assert found["machine-cpu"].startswith("A machine uses more than 90 % of its CPU on 1 gateway")
    assert found["gateway-silent"] == "No answer for more than 1 min on 1 gateway: gw-01."


def test_a_prometheus_that_falls_silent_is_one_alert_and_ends_no_other(settings: Any) -> None:
    settings.COLLECT_SECONDS = 0
    gateways = measured(3)
    for gateway in gateways:
        told(gateway, NOW, cpu_percent=97.0)
    looked(NOW, NOW + 60)
    assert set(alarms()) == {"machine-cpu"}
    looked(NOW + 400)
    assert set(alarms()) == {"machine-cpu", "prometheus-silent"}
    assert alarms()["prometheus-silent"].startswith("Prometheus has not answered for more than 5 min on 3 gateways")


def test_gateways_beyond_the_collector_are_counted_where_nobody_else_tells(settings: Any) -> None:
    settings.COLLECT_MOST = 1
    first, _, _ = *measured(2), *measured(1, on=factories.pool("us"), begin=2)
    PrometheusSource.objects.create(pool=factories.pool("us"), name="prom", url="http://127.0.0.1:9")
    answered(first, NOW)
    looked(NOW)
    assert alarms()["unmeasured"].startswith("1 gateway")
