"""The decision page: everything that the one who decides must know, as a page and as JSON, and one outcome of two."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from approvals.models import AuditEvent, User
from tests import factories
from tests.scenes import Scene, scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
MOST = 100 * 1024  # bytes of page, styles and scripts, as they are sent, before any chart
ASSET = re.compile(r'(?:href|src)="/static/([^"]+\.(?:css|js))"')


def said(made: Scene, **more: str) -> dict[str, str]:
    return {"version": str(made.rollout.version), "digest": made.rollout.digest, "decision": "1", **more}


def test_it_says_who_decides_until_when_and_what_then(browse: Browse) -> None:
    made = scene("waiting_approval")
    page = browse("oncall").get(f"/decisions/{made.rollout.pk}/")
    assert_clean(page)
    text = page.content.decode()
    assert "Nobody has said anything yet." in text
    assert "the question ends and nothing is changed on any gateway" in text
    assert "Asked besides operator" in text
    assert "Not run" in text  # the test matrix of a release that was never tested


def test_the_same_as_json_by_address_and_by_what_is_accepted(browse: Browse) -> None:
    made = scene("waiting_approval")
    client, address = browse("oncall"), f"/decisions/{made.rollout.pk}/"
    told = client.get(f"/api{address}").json()
    also = client.get(address, headers={"Accept": "application/json"}).json()
    assert {**told, "now": 0, "why": 0, "facts": 0, "deciding": 0} == {
        **also,
        "now": 0,
        "why": 0,
        "facts": 0,
        "deciding": 0,
    }
    assert told["gateways"]["count"] == 4
    assert set(told["gateways"]["names"]) == {row.gateway.name for wave in (1, 2) for row in made.upgrades(wave)}
    assert [button["action"] for button in told["buttons"]] == ["reject", "approve"]
    assert told["buttons"][1] | {"label": "Approve 4 gateways", "enabled": True} == told["buttons"][1]
    assert told["deciding"]["may_decide"] == ["oncall"]
    assert told["deciding"]["still_needed"] == "1 more"
    assert client.get("/api/decisions/999/").status_code == 404
    assert browse("stranger").get(address).status_code == 404


@pytest.mark.parametrize("name", ["waiting_approval", "observing", "back_asked"])
def test_it_is_light_before_its_charts(browse: Browse, name: str) -> None:
    page = browse("oncall").get(f"/decisions/{scene(name).rollout.pk}/").content
    sizes = {path: sent(path) for path in set(ASSET.findall(page.decode()))}
    assert len(page) + sum(sizes.values()) <= MOST, (len(page), sizes)


def sent(path: str) -> int:
    """Bytes of a static file on the wire: the packed one where there is one, and it is the same."""
    file = Path(settings.BASE_DIR, "static", path)
    packed = file.with_name(f"{file.name}.gz")
    if not packed.exists():
        return file.stat().st_size
    assert gzip.decompress(packed.read_bytes()) == file.read_bytes()
    return packed.stat().st_size


def test_what_is_packed_is_sent_so() -> None:
    answer = Client().get("/static/vendor/htmx-2.0.11.min.js", headers={"Accept-Encoding": "gzip"})
    answer.close()
    assert answer.headers["Content-Encoding"] == "gzip"


def test_two_decide_and_the_slower_sees_who_was_faster(browse: Browse, people: dict[str, User]) -> None:
    made, second = scene("waiting_approval"), factories.person("amara", factories.ONCALL)
    address = f"/rollouts/{made.rollout.pk}"
    late = Client()
    late.force_login(second)
    browse("oncall").post(f"{address}/approve/", said(made))
    for path in ("approve", "reject"):
        page = late.post(f"{address}/{path}/", said(made, reason="Not at this time"))
        assert page.status_code == 409
        assert "oncall approved this" in page.content.decode().lower()
        told = late.post(f"/api{address}/{path}/", said(made, reason="no"), content_type="application/json")
        assert (told.status_code, told.json()["state"]) == (409, "upgrading")
        assert "oncall approved this" in told.json()["say"]
    assert AuditEvent.objects.filter(verb__in=["approval.approved", "approval.rejected"]).count() == 1


def test_a_double_click_is_one_yes(browse: Browse) -> None:
    made = scene("waiting_approval")
    client, address = browse("oncall"), f"/rollouts/{made.rollout.pk}/approve/"
    assert client.post(address, said(made)).status_code == 302
    again = client.post(address, said(made))
    assert again.status_code == 409
    assert "You approved this" in again.content.decode()
    assert AuditEvent.objects.filter(verb="approval.approved").count() == 1
