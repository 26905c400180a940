"""Enrol, leave, another host key: asked by one person, done by a second one's yes, and on the record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from approvals import changes
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Request, User
from fleet import agreements, alerts, enrolment, errands, gateways, sealed, services
from fleet.drift import Difference
from fleet.enrolment import Asked
from fleet.errors import GiveUp
from fleet.models import Alert, Credential, Errand, Gateway, Pool
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
PINS = (("ssh-ed25519", KEY),)


def who(user: User) -> dict[str, Any]:
    return {"by": user, "actor": Actor("person", user.username, user.pk), "now": NOW}


def asked(name: str = "fra-gw-01", **more: Any) -> Asked:
    return Asked(**{"name": name, "address": "192.0.2.1", "keys": PINS, **more})


def propose(ola: User, *wanted: Asked, pool: Pool | None = None) -> Request:
    return enrolment.propose(wanted or (asked(),), pool or factories.pool(), why="New site", **who(ola))


def decide(request: Request, by: User, *, yes: bool = True) -> Request:
    return changes.decide(request, yes=yes, reason="Compared on the console", digest=request.digest, **who(by))


def row(name: str = "fra-gw-01") -> Gateway:
    return Gateway.objects.get(name=name)


def enrolled(ola: User, ines: User) -> Gateway:
    decide(propose(ola), ines)
    return row()


def test_nobody_talks_to_it_before_a_second_person_said_yes(ola: User, ines: User) -> None:
    request = propose(ola)
    assert row().state == "proposed"
    assert not row().host_keys.exists()
    with pytest.raises(GiveUp, match="waits for a second person"):
        gateways.open(row())
    assert not services.look(row(), now=NOW)
    decide(request, ines)
    assert (row().state, row().host_keys.get().key) == ("enrolled", KEY)


def test_the_fingerprint_is_what_is_shown_and_bound(ola: User) -> None:
    summary = Request.objects.get(pk=propose(ola).pk).summary
    assert "SHA256:+DiY3wvvV6TuJJhbpZisF" in summary["lines"][0]
    assert summary["payload"]["gateways"][0]["keys"] == [["ssh-ed25519", KEY]]


def test_who_and_why_are_recorded(ola: User, ines: User) -> None:
    enrolled(ola, ines)
    verbs = list(AuditEvent.objects.order_by("seq").values_list("verb", "actor"))
    assert [verb for verb, _ in verbs] == [
        "gateway.proposed",
        "approval.asked",
        "approval.approved",
        "gateway.enrolled",
    ]
    assert "ines" in verbs[-1][1]
    assert "ola asked, ines compared" in AuditEvent.objects.get(verb="gateway.enrolled").reason


def test_without_the_right_no_row_is_left(ines: User) -> None:
    with pytest.raises(Refused, match="May enrol gateways"):
        propose(ines)
    assert not Gateway.objects.exists()


def test_nobody_confirms_his_own(ola: User) -> None:
    factories.person("ola", ("approve_gateway",))
    with pytest.raises(Refused):
        decide(propose(ola), ola)
    assert row().state == "proposed"


def test_a_no_leaves_it_outside_and_it_may_be_asked_again(ola: User, ines: User) -> None:
    decide(propose(ola), ines, yes=False)
    assert row().state == "left"
    decide(propose(ola, asked(address="192.0.2.9")), ines)
    assert (row().state, row().address) == ("enrolled", "192.0.2.9")


def test_a_name_that_is_taken_is_refused(ola: User, ines: User) -> None:
    enrolled(ola, ines)
    with pytest.raises(Refused, match="in the fleet already"):
        propose(ola)


def test_several_are_one_question(ola: User, ines: User) -> None:
    request = propose(ola, asked("b-gw"), asked("a-gw"))
    assert request.summary["title"] == "Enrol a-gw and b-gw in eu-west"
    decide(request, ines)
    assert {row("a-gw").state, row("b-gw").state} == {"enrolled"}


@pytest.mark.parametrize(
    ("wrong", "say"),
    [
        ({"name": "Fra GW"}, "is no name"),
        ({"address": "not an address"}, "needs an address"),
        ({"port": 0}, "0 is no port"),
        ({"ssh_user": "root;id"}, "no name for a system user"),
        ({"public_address": "<b>"}, "users could connect"),
        ({"keys": ()}, "needs a host key"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(ola: User, wrong: dict[str, Any], say: str) -> None:
    with pytest.raises(Refused, match=say):
        propose(ola, asked(**wrong))
    assert not Gateway.objects.exists()


def test_leaving_takes_keys_probe_and_errands_along(ola: User, ines: User) -> None:
    gateway = enrolled(ola, ines)
    sealed.seal("probe:fra-gw-01", b"probe\nsecret")
    errands.send([gateway], "inventory", subject="drift", args={}, now=NOW)
    decide(enrolment.propose_leave(gateway, why="Site closed", **who(ola)), ines)
    assert (row().state, row().state_reason) == ("left", "Site closed")
    assert not row().host_keys.exists()
    assert not Credential.objects.filter(name="probe:fra-gw-01").exists()
    assert Errand.objects.get().state == "dropped"
    with pytest.raises(GiveUp, match="has left the fleet"):
        gateways.open(row())


def test_leaving_ends_its_alerts_and_forgets_what_was_agreed(ola: User, ines: User) -> None:
    gateway = enrolled(ola, ines)
    alerts.note(gateway, [Difference("keys", "Other keys.", "a" * 64, "b" * 64)], now=NOW)
    agreements.note(gateway, {"keys": ("a" * 64, "")}, why="first look", actor=alerts.WATCHER, now=NOW)
    decide(enrolment.propose_leave(gateway, why="Site closed", **who(ola)), ines)
    assert Alert.objects.get().ended_why == "fra-gw-01 left the fleet."
    assert not gateway.agreements.exists()


def test_a_gateway_at_work_does_not_leave(ola: User, ines: User, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = enrolled(ola, ines)
    asked_before = enrolment.propose_leave(gateway, why="Site closed", **who(ola))
    monkeypatch.setattr(enrolment, "BUSY", [lambda _: "Rollout 7 is at work on it."])
    with pytest.raises(Refused, match="Rollout 7"):
        enrolment.propose_leave(gateway, why="x", **who(ola))
    with pytest.raises(Refused, match="Rollout 7"):
        decide(asked_before, ines)
    assert row().state == "enrolled"
    assert Request.objects.get(pk=asked_before.pk).state == "open"


def test_leaving_twice_and_without_a_reason_is_refused(ola: User, ines: User) -> None:
    gateway = enrolled(ola, ines)
    with pytest.raises(Refused, match="Say why"):
        enrolment.propose_leave(gateway, why=" ", **who(ola))
    decide(enrolment.propose_leave(gateway, why="Closed", **who(ola)), ines)
    with pytest.raises(Refused, match="already"):
        enrolment.propose_leave(row(), why="Closed", **who(ola))


def test_another_host_key_is_pinned_by_a_second_person_only(ola: User, ines: User) -> None:
    gateway = enrolled(ola, ines)
    services.quarantine(gateway, reason="It shows another key.", actor=Actor.machine("ssh"), now=NOW)
    request = enrolment.propose_host_key(row(), [("ssh-ed25519", OTHER)], why="Reinstalled", **who(ola))
    assert row().state == "quarantined"
    assert "in the middle" in request.summary["warning"]
    decide(request, ines)
    assert (row().state, row().host_keys.get().key) == ("enrolled", OTHER)
    assert [event.verb for event in AuditEvent.objects.order_by("seq")][-2:] == ["gateway.pinned", "gateway.released"]


def test_keys_that_were_pinned_meanwhile_void_the_question(ola: User, ines: User) -> None:
    gateway = enrolled(ola, ines)
    request = enrolment.propose_host_key(gateway, [("ssh-ed25519", OTHER)], why="", **who(ola))
    third = OTHER[:-2] + "BB"
    services.pin(gateway, host_keys=[("ssh-ed25519", third)], actor=Actor.machine("x"), now=NOW)
    with pytest.raises(Refused, match="Other keys"):
        decide(request, ines)
    with pytest.raises(Refused, match="are the pinned ones"):
        enrolment.propose_host_key(gateway, [("ssh-ed25519", third)], why="", **who(ola))


def test_what_was_shown_instead_is_kept_for_the_person(ola: User, ines: User) -> None:
    gateway = enrolled(ola, ines)
    shown = [("ssh-ed25519", OTHER)]
    services.quarantine(gateway, reason="changed", seen=shown, actor=Actor.machine("ssh"), now=NOW)
    assert row().seen_keys == [["ssh-ed25519", OTHER]]


def test_another_pool_that_has_the_name_by_now_gets_nothing(ola: User, ines: User) -> None:
    request, pool = propose(ola), factories.pool()
    name = pool.name
    Pool.objects.filter(pk=pool.pk).update(name="old")
    Pool.objects.create(name=name)
    with pytest.raises(Refused, match="or another by now"):
        decide(request, ines)
    assert (row().state, row().pool_id) == ("proposed", pool.pk)
