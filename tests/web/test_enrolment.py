"""Bringing gateways in and letting them go, by the pages: two persons, nothing lost on bad input, nothing leaked."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from approvals.models import Request, User
from fleet import enrol_views, imports
from fleet.gateways.scan import Scanned
from fleet.models import Gateway, Pool
from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
LOOKS = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
FORM = {"name": "fra-gw-09", "address": "192.0.2.9", "port": "22", "ssh_user": "ocgate"}


@pytest.fixture(autouse=True)
def _rights(people: dict[str, User]) -> None:
    factories.person("operator", ("enrol_gateway",))
    factories.person("oncall", ("approve_gateway",))


@pytest.fixture(autouse=True)
def _machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines at 192.0.2.x show the key; all others are silent."""

    def scan(address: str, port: int) -> Scanned:
        if address.startswith("192.0.2."):
            return Scanned(address, port, (("ssh-ed25519", KEY),))
        return Scanned(address, port, (), f"{address} did not answer.")

    monkeypatch.setattr(enrol_views, "scan", scan)
    monkeypatch.setattr(imports, "scan_all", lambda places, tell: [scan(*place) for place in places])


def form() -> dict[str, str]:
    return {**FORM, "pool": str(factories.pool().pk)}


def shown_on(text: str) -> str:
    found = re.search(r'name="shown"\s+value="([^"]+)"', text)
    assert found
    return found[1]


def test_from_the_form_to_the_second_person(browse: Browse) -> None:
    page = browse("operator").post("/gateways/add/", form())
    assert LOOKS.encode() in page.content
    assert_clean(page)
    assert not Gateway.objects.exists()
    shown = shown_on(page.content.decode())
    done = browse("operator").post("/gateways/add/", {"shown": shown, "why": "New site"})
    request = Request.objects.get()
    assert done.headers["Location"] == f"/changes/{request.pk}/"
    answer = {"digest": request.digest, "reason": "Compared"}
    browse("oncall").post(f"/changes/{request.pk}/approve/", answer)
    gateway = Gateway.objects.get()
    assert (gateway.state, gateway.host_keys.get().key) == ("enrolled", KEY)


@pytest.mark.parametrize(
    ("wrong", "say"),
    [
        ({"name": "Fra GW"}, "is no name"),
        ({"address": "198.51.100.1"}, "did not answer. Nothing was asked."),
        ({"port": "many"}, "0 is no port"),
        ({"pool": "999"}, "May enrol gateways"),
        ({"shown": "forged"}, "more than an hour old"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(browse: Browse, wrong: dict[str, str], say: str) -> None:
    page = browse("operator").post("/gateways/add/", {**form(), **wrong})
    assert page.status_code == 422
    assert say in page.content.decode()
    assert wrong.get("name", "fra-gw-09") in page.content.decode()
    assert_clean(page)
    assert not Gateway.objects.exists()


@pytest.mark.parametrize("who", ["oncall", "auditor", "stranger"])
def test_without_the_right_nothing_is_asked(browse: Browse, who: str) -> None:
    shown = shown_on(browse("operator").post("/gateways/add/", form()).content.decode())
    assert browse(who).post("/gateways/add/", {"shown": shown}).status_code in (404, 422)
    assert browse(who).post("/gateways/add/", form()).status_code == 422
    assert not Request.objects.exists()


def enrolled() -> Gateway:
    gateway = factories.gateway("fra-gw-01")
    gateway.host_keys.update(key=KEY)
    return gateway


def test_leaving_is_asked_with_its_reason(browse: Browse) -> None:
    gateway = enrolled()
    path = f"/gateways/{gateway.pk}/leave/"
    assert browse("operator").get(path).status_code == 405
    assert browse("operator").post(path).status_code == 409
    assert browse("auditor").post(path, {"why": "x"}).status_code == 409
    assert browse("stranger").post(path, {"why": "x"}).status_code == 404
    browse("operator").post(path, {"why": "Site closed"})
    request = Request.objects.get()
    browse("oncall").post(f"/changes/{request.pk}/approve/", {"digest": request.digest})
    gateway.refresh_from_db()
    assert gateway.state == "left"
    page = browse("operator").get(f"/gateways/{gateway.pk}/")
    assert b"ocgate uninstall" in page.content
    assert b'type="password"' in page.content
    assert_clean(page)


def test_a_changed_host_key_is_shown_beside_the_pinned_one(browse: Browse) -> None:
    gateway = enrolled()
    other = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    Gateway.objects.update(state="quarantined", seen_keys=[["ssh-ed25519", other]])
    page = browse("operator").get(f"/gateways/{gateway.pk}/").content.decode()
    assert LOOKS in page
    assert "SHA256:" in page.partition("Seen")[2]
    assert "Ask to pin" not in browse("auditor").get(f"/gateways/{gateway.pk}/").content.decode()
    path = f"/gateways/{gateway.pk}/host-key/"
    assert browse("auditor").post(path, {"act": "look"}).status_code == 409
    done = browse("operator").post(path, {"act": "propose", "why": "Reinstalled"})
    assert done.headers["Location"] == f"/changes/{Request.objects.get().pk}/"


def test_a_look_at_the_keys_is_noted_and_pins_nothing(browse: Browse) -> None:
    gateway = enrolled()
    Gateway.objects.update(state="quarantined", address="192.0.2.1")
    browse("operator").post(f"/gateways/{gateway.pk}/host-key/", {"act": "look"})
    gateway.refresh_from_db()
    assert gateway.seen_keys == [["ssh-ed25519", KEY]]
    assert gateway.state == "quarantined"


async def read(client: AsyncClient, path: str, data: dict[str, str]) -> str:
    page = await client.post(path, data)
    if not page.streaming:
        return page.content.decode()
    return "".join([part.decode() async for part in page.streaming_content])  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_a_list_is_shown_line_by_line_and_asked_as_one(browse: Browse, people: dict[str, User]) -> None:
    text = "name,address\na-gw,192.0.2.1\nb-gw,198.51.100.1\nBad Name,x\nc-gw,192.0.2.3\n"
    client = AsyncClient()
    client.force_login(people["operator"])
    page = async_to_sync(read)(client, "/gateways/import/", {"text": text, "pool": form()["pool"]})
    assert "2 of 4 can be enrolled" in page
    assert "198.51.100.1 did not answer." in page
    assert "a-gw,192.0.2.1" in page  # the list still stands in its field
    chosen = {"shown": shown_on(page), "chosen": ["", "c-gw"]}
    browse("operator").post("/gateways/import/", chosen)
    assert [gateway.name for gateway in Gateway.objects.all()] == ["c-gw"]
    assert Request.objects.get().summary["title"] == "Enrol c-gw in eu-west"


def test_a_list_that_is_none_stays_in_its_field(browse: Browse) -> None:
    page = browse("operator").post("/gateways/import/", {"text": "host,ip\n1,2", "pool": form()["pool"]})
    assert page.status_code == 422
    assert b"must name its columns" in page.content
    assert b"host,ip" in page.content


@pytest.mark.django_db(transaction=True)
def test_a_list_tells_nothing_of_other_pools_but_that_a_name_is_taken(people: dict[str, User]) -> None:
    other = Pool.objects.create(name="asia")
    state = Gateway.State.ENROLLED
    Gateway.objects.create(name="sin-gw-01", pool=other, address="192.0.2.99", port=2299, state=state)
    text = "name,address\nsin-gw-01,192.0.2.5\n"
    client = AsyncClient()
    client.force_login(people["operator"])
    page = async_to_sync(read)(client, "/gateways/import/", {"text": text, "pool": form()["pool"]})
    assert "a gateway called sin-gw-01 is in the fleet already" in page
    assert "192.0.2.99" not in page
    assert "2299" not in page


def test_a_port_in_other_digits_is_no_port(browse: Browse) -> None:
    page = browse("operator").post("/gateways/add/", {**form(), "port": "²²"})
    assert (page.status_code, "0 is no port" in page.content.decode()) == (422, True)
