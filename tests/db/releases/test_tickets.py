from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent
from fleet.models import Gateway, Pool
from releases import downloads, services, tickets
from releases.models import Release
from tests.db.releases.cast import NOW, OLA, take_in
from tests.unit.releases import desk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("li")]


@pytest.fixture
def release(tmp_path: Path, li: object) -> Release:
    return take_in(desk.release(tmp_path / "in", desk.key("li")))


@pytest.fixture
def gateway(db: None) -> Gateway:
    return Gateway.objects.create(name="fra-gw-01", pool=Pool.objects.create(name="eu"), calls_in=True)


@pytest.fixture
def ticket(release: Release, gateway: Gateway) -> str:
    return tickets.issue(release, gateway, actor=Actor.machine("handover"), now=NOW)


def say(ticket: str, sha256: str, *, minutes: float = 1) -> str:
    with pytest.raises(Refused) as no:
        tickets.admit(ticket, sha256=sha256, now=NOW + timedelta(minutes=minutes))
    return no.value.say


def test_it_opens_its_bundle_to_its_gateway(ticket: str, release: Release, gateway: Gateway) -> None:
    shown = tickets.admit(ticket, sha256=release.sha256, now=NOW + timedelta(minutes=14))
    assert (shown.release, shown.gateway) == (release, gateway)


def test_issuing_is_an_event_that_holds_no_ticket(ticket: str, release: Release) -> None:
    event = AuditEvent.objects.get(verb="ticket.issued")
    assert (event.subject, event.actor) == (f"release:{release.pk}", "machine:handover")
    assert json.loads(event.body)["details"]["gateway"] == "fra-gw-01"
    assert ticket not in event.body


def test_it_lives_for_minutes(ticket: str, release: Release) -> None:
    assert say(ticket, release.sha256, minutes=15.1).startswith("This ticket is too old.")


def test_it_opens_one_hash_only(ticket: str) -> None:
    assert say(ticket, "0" * 64) == "This ticket is for another bundle."


@pytest.mark.parametrize("at", range(0, 240, 7))
def test_a_changed_ticket_opens_nothing(ticket: str, release: Release, at: int) -> None:
    at %= len(ticket)
    changed = ticket[:at] + ("A" if ticket[at] != "A" else "B") + ticket[at + 1 :]
    assert say(changed, release.sha256) == "This is no ticket of ours."


def test_another_installations_ticket_opens_nothing(ticket: str, release: Release, settings: Settings) -> None:
    settings.SECRET_KEY = "another"
    assert say(ticket, release.sha256) == "This is no ticket of ours."


def test_not_when_the_release_was_withdrawn(ticket: str, release: Release) -> None:
    services.yank(release, reason="crashes", actor=OLA, now=NOW)
    assert say(ticket, release.sha256) == "The release of this ticket was withdrawn."


@pytest.mark.parametrize("state", [Gateway.State.LEFT, Gateway.State.PROPOSED, Gateway.State.QUARANTINED])
def test_not_when_the_gateway_is_not_ours(ticket: str, release: Release, gateway: Gateway, state: str) -> None:
    Gateway.objects.filter(pk=gateway.pk).update(state=state)
    assert say(ticket, release.sha256).startswith("The gateway of this ticket is not of the fleet")


def test_who_calls_in_gets_a_ticket(release: Release, gateway: Gateway, settings: Settings) -> None:
    settings.DOWNLOAD_URL, settings.DOWNLOAD_RATE = "http://192.0.2.1:8000", 5000
    files = downloads.offered(services.files(release, now=NOW), release, gateway, now=NOW)
    assert files.download
    assert (files.download.url, files.download.rate) == (f"http://192.0.2.1:8000/bundles/{release.sha256}", 5000)
    assert tickets.admit(files.download.ticket, sha256=release.sha256, now=NOW).gateway == gateway


@pytest.mark.parametrize("place", [(False, "http://192.0.2.1"), (True, "")])
def test_others_are_sent_it(release: Release, gateway: Gateway, settings: Settings, place: tuple[bool, str]) -> None:
    gateway.calls_in, settings.DOWNLOAD_URL = place
    assert downloads.offered(services.files(release, now=NOW), release, gateway, now=NOW).download is None
    assert not AuditEvent.objects.filter(verb="ticket.issued").exists()
