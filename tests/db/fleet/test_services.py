"""Enrol, look, quarantine, pin: once, on the record, and only on change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent
from fleet import gateways, services
from fleet.errors import GiveUp, RetryLater
from fleet.models import Gateway, Pool

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
OLA = Actor(kind="person", name="ola", user_id=1)
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def enrol(**wish: Any) -> Gateway:
    pool, _ = Pool.objects.get_or_create(name="eu-west")
    given = {"name": "fra-gw-01", "address": "192.0.2.1", "host_keys": [("ssh-ed25519", KEY)], **wish}
    return services.enrol(pool=pool, actor=OLA, now=NOW, **given)


def simulated(**simulate: Any) -> Gateway:
    return enrol(adapter="memory", host_keys=(), labels={"simulate": simulate})


def set_fault(gateway: Gateway, **faults: Any) -> Gateway:
    gateway.labels = {"simulate": {**gateway.labels["simulate"], "faults": faults}}
    Gateway.objects.filter(pk=gateway.pk).update(labels=gateway.labels)
    return seen(gateway)


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def seen(gateway: Gateway) -> Gateway:
    return Gateway.objects.get(pk=gateway.pk)


def test_enrolling_twice_is_enrolling_once() -> None:
    first, second = enrol(), enrol()
    assert first == second
    assert list(first.host_keys.values_list("kind", "key")) == [("ssh-ed25519", KEY)]
    assert verbs() == ["gateway.enrolled"]
    assert "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU" in AuditEvent.objects.get().body


def test_another_wish_changes_the_row_on_the_record() -> None:
    enrol()
    assert enrol(port=2222).port == 2222
    assert verbs() == ["gateway.enrolled", "gateway.changed"]


def test_other_host_keys_are_never_taken_over() -> None:
    gateway = enrol()
    with pytest.raises(Refused, match="enrolled with other host keys"):
        enrol(host_keys=[("ssh-ed25519", OTHER)])
    assert gateway.host_keys.get().key == KEY


@pytest.mark.parametrize(
    ("keys", "say"),
    [
        ([], "needs a host key"),
        ([("ecdsa-sha2-nistp256", KEY)], "needs a host key"),
        ([("ssh-rsa", KEY)], "is not one"),
        ([("ssh-ed25519", "%%%")], "is not one"),
    ],
)
def test_a_gateway_without_a_usable_host_key_is_refused(keys: list[tuple[str, str]], say: str) -> None:
    with pytest.raises(Refused, match=say):
        enrol(host_keys=keys)
    assert not Gateway.objects.exists()


def test_a_look_stores_what_the_gateway_said() -> None:
    gateway = simulated(release="1.1.6-3", users=6)
    assert services.look(gateway, now=NOW)
    row = seen(gateway)
    assert (row.release, row.sessions, row.state, row.facts_at) == ("1.1.6-3", 6, "enrolled", NOW)
    assert row.facts["committed"] == {"slot": 1, "release": "1.1.6-3"}
    assert verbs() == ["gateway.enrolled"]


def test_silence_is_one_event_and_its_end_another() -> None:
    gateway = simulated()
    services.look(gateway, now=NOW)
    states = []
    for unreachable in (True, True, False, False):
        services.look(set_fault(gateway, unreachable=unreachable), now=NOW)
        states.append(seen(gateway).state)
    assert states == ["unreachable", "unreachable", "enrolled", "enrolled"]
    assert verbs() == ["gateway.enrolled", "gateway.unreachable", "gateway.answers"]


def test_a_clock_that_is_off_is_said_and_no_event() -> None:
    gateway = simulated(faults={"clock_offset": -3600.0})
    services.look(gateway, now=timezone.now())
    assert "behind ours" in seen(gateway).state_reason
    services.note_facts(seen(gateway), {**seen(gateway).facts, "now": NOW.timestamp() + 4}, now=NOW)
    assert seen(gateway).state_reason == ""
    assert verbs() == ["gateway.enrolled"]


def test_a_gateway_in_quarantine_is_not_talked_to() -> None:
    gateway = simulated()
    assert services.quarantine(gateway, reason="It shows another key.", actor=OLA, now=NOW)
    assert not services.quarantine(gateway, reason="again", actor=OLA, now=NOW)
    with pytest.raises(GiveUp, match="It shows another key"):
        gateways.open(seen(gateway))
    assert not services.look(seen(gateway), now=NOW)
    assert verbs() == ["gateway.enrolled", "gateway.quarantined"]


def test_pinning_ends_the_quarantine() -> None:
    gateway = enrol()
    services.quarantine(seen(gateway), reason="another key", actor=OLA, now=NOW)
    services.pin(gateway, host_keys=[("ssh-ed25519", OTHER)], actor=OLA, now=NOW)
    assert (seen(gateway).state, gateway.host_keys.get().key) == ("enrolled", OTHER)
    assert verbs()[2:] == ["gateway.pinned", "gateway.released"]


def test_a_simulated_gateway_is_the_same_for_all_who_open_it() -> None:
    gateway = simulated(release="1.1.6", users=3, pace=0)
    first, second = gateways.open(gateway), gateways.open(gateway)
    first.start("1.1.6", 2, fence=3)
    assert second.start("1.1.6", 2, fence=3).already
    second.shift({2: 100}, seconds=60, fence=4)
    second.commit(2, fence=4)
    assert first.facts().slots == second.facts().slots
    assert first.sessions() == second.sessions()
    assert seen(gateway).facts["simulation"]["effects"] == {"start": 1, "shift": 1, "commit": 1}
    with pytest.raises(GiveUp, match="Fence 3 is older than 4"):
        first.commit(2, fence=3)


def test_an_effect_whose_answer_is_lost_has_happened_and_one_that_is_refused_has_not() -> None:
    gateway = simulated(release="1.1.6", pace=0, faults={"lose_answers": 1})
    with pytest.raises(RetryLater, match="cut off"):
        gateways.open(gateway).start("1.1.6", 2, fence=1)
    with pytest.raises(GiveUp, match="does not|stage it first"):
        gateways.open(gateway).start("9.9.9", 3, fence=2)
    kept = seen(gateway).facts["simulation"]
    assert kept["effects"] == {"start": 1}
    assert kept["fence"] == 2


def test_an_old_answer_does_not_undo_what_a_simulated_gateway_did_since() -> None:
    gateway = simulated(release="1.1.6", pace=0)
    before = gateways.open(gateway).facts()
    gateways.open(gateway).start("1.1.6", 2, fence=1)
    services.note_facts(seen(gateway), before.raw, now=NOW)
    assert gateways.open(seen(gateway)).start("1.1.6", 2, fence=1).already
