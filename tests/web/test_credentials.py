"""The page of credentials and of installing: what is shown, what never is, and who may do what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from approvals.models import Request, User
from fleet import sealed, sshca
from fleet.models import Gateway, KeyRotation
from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
CONFIG = {
    "ipv4": "203.0.113.11",
    "port": "443",
    "inner_port": "4443",
    "pool4_1": "10.10.1.0/24",
    "pool4_2": "10.10.2.0/24",
    "out": "eth0",
}


@pytest.fixture(autouse=True)
def _rights(people: dict[str, User]) -> None:
    for name, codename in (("operator", "enrol_gateway"), ("oncall", "approve_gateway")):
        people[name].user_permissions.add(Permission.objects.get(codename=codename))


def rotate(browse: Browse, kind: str) -> None:
    browse("operator").post("/credentials/rotate/", {"kind": kind, "why": "Yearly"})
    request = Request.objects.latest("pk")
    browse("oncall").post(f"/changes/{request.pk}/approve/", {"digest": request.digest})


def test_the_first_key_is_asked_for_and_made_on_the_second_yes(browse: Browse) -> None:
    rotate(browse, "ssh-key")
    page = browse("auditor").get("/credentials/")
    assert b"SHA256:" in page.content
    assert_clean(page)
    for line in sealed.unseal("ssh-key").splitlines()[1:-1]:
        assert line not in page.content


def test_a_rotation_shows_the_statements_and_takes_no_forged_signature(browse: Browse) -> None:
    sealed.seal("ssh-key", sshca.make())
    rotate(browse, "ssh-key")
    row = KeyRotation.objects.get()
    page = browse("operator").get("/credentials/")
    assert f"/statements/{row.pk}/both/".encode() in page.content
    assert_clean(page)
    text = browse("operator").get(f"/statements/{row.pk}/both/")
    assert text.content.decode() == row.both["text"]
    forged = browse("operator").post(f"/credentials/{row.pk}/sign/", {"stage": "both", "signature": "x"})
    assert forged.status_code == 409
    assert b"This is no SSH signature" in forged.content


@pytest.mark.parametrize("act", ["sign", "again", "switch", "leave-behind", "finish", "sing"])
def test_acts_need_the_right_and_the_state(browse: Browse, act: str) -> None:
    sealed.seal("ssh-key", sshca.make())
    rotate(browse, "ssh-key")
    path = f"/credentials/{KeyRotation.objects.get().pk}/{act}/"
    assert browse("stranger").post(path).status_code == 403
    assert browse("auditor").post(path).status_code == 409
    assert browse("operator").post(path).status_code == 409
    assert KeyRotation.objects.get().state == "signing"


def test_installing_is_prepared_and_its_command_printed(browse: Browse) -> None:
    factories.release()
    sealed.seal("ssh-key", sshca.make())
    gateway = factories.gateway("fra-gw-01")
    path = f"/gateways/{gateway.pk}/install/"
    assert b"Say first which addresses" in browse("operator").get(path).content
    assert browse("operator").post(path, {**CONFIG, "pool4_2": ""}).status_code == 422
    assert browse("auditor").post(path, CONFIG).status_code == 422
    assert browse("operator").post(path, CONFIG).status_code == 302
    page = browse("operator").get(path).content.decode()
    assert "sha256sum -c" in page
    assert "--adopt" in page
    page = browse("operator").get(path + "?adopt=no").content.decode()
    assert "The bundle of 1.3.0-2 in the repository has 0 of 4812331 bytes" in page
    assert '<a href="?adopt=yes">Adopt the ocserv that runs there</a>' in page
    assert "sha256sum -c" not in browse("auditor").get(path).content.decode()


def test_the_kit_comes_to_whoever_has_its_ticket(browse: Browse) -> None:
    factories.release()
    sealed.seal("ssh-key", sshca.make())
    gateway = factories.gateway("fra-gw-01")
    browse("operator").post(f"/gateways/{gateway.pk}/install/", CONFIG)
    page = browse("operator").get(f"/gateways/{gateway.pk}/install/").content.decode()
    ticket = page.partition("/kit/")[2].partition("/")[0]
    kit = browse("anonymous").get(f"/kit/{ticket}/")
    assert kit.headers["Content-Type"] == "application/x-tar"
    Gateway.objects.update(state="left")
    assert browse("anonymous").get(f"/kit/{ticket}/").status_code == 410


def test_a_lent_login_is_refused_before_anybody_connects(browse: Browse) -> None:
    gateway = factories.gateway("fra-gw-01")
    for who in ("operator", "auditor"):
        page = browse(who).post(f"/gateways/{gateway.pk}/install/run/", {"login": "root", "password": "plum-tree"})
        assert page.status_code == 409
        assert b"plum-tree" not in page.content


def test_the_end_of_a_rotation_says_who_has_followed(browse: Browse) -> None:
    sealed.seal("ssh-key", sshca.make())
    rotate(browse, "ssh-key")
    KeyRotation.objects.update(state="spreading")
    Gateway.objects.all().delete()
    assert b"Every gateway has followed." in browse("operator").get("/credentials/").content
    factories.gateway("late-gw")
    page = browse("operator").get("/credentials/").content
    assert b"Not followed yet: 1 gateway" in page
    assert b"Has not been asked yet." in page
    KeyRotation.objects.update(state="done")
    assert b"; every gateway has followed" in browse("operator").get("/credentials/").content
    KeyRotation.objects.update(left_behind=["late-gw"])
    assert b", without late-gw" in browse("operator").get("/credentials/").content
