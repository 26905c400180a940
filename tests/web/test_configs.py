"""The pages of configurations: proposed by one, agreed by another, signed; no secret is ever shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from approvals.models import ApproverKey, Request, User
from fleet.gateways.holdings import CONF
from fleet.models import Gateway
from releases import configs
from releases.models import ConfigRevision
from tests import factories
from tests.db.releases.test_configs import run
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
FIRST = CONF + "key-pin = 4711\n"


@pytest.fixture(autouse=True)
def gateway(people: dict[str, User]) -> Gateway:
    """One gateway of eu-west on which FIRST is agreed."""
    row = factories.gateway("fra-gw-01")
    row.facts = {**row.facts, "conf": {"agreed_sha256": configs.digest(FIRST)}}
    row.release = "1.1.6-2"
    row.save()
    return row


def propose(browse: Browse, gateway: Gateway, who: str = "operator", **fields: str) -> tuple[int, str]:
    """Send the form; return the answer's status and the text of the page that it leads to."""
    form = {"pool": str(gateway.pool_id), "note": "because", **fields}
    answer = browse(who).post("/configs/add/", form, follow=True)
    assert_clean(answer)
    return answer.status_code, answer.content.decode()


def test_the_file_as_it_is_becomes_the_first(browse: Browse, gateway: Gateway) -> None:
    file = SimpleUploadedFile("ocserv.conf", FIRST.encode())
    form = {"pool": gateway.pool_id, "note": "as it is", "file": file}
    page = browse("operator").post("/configs/add/", form, follow=True).content.decode()
    assert "Configuration 1 of eu-west" in page
    assert "As it is on the gateway." in page
    assert "4711" not in page


def test_one_option_is_changed_without_bringing_the_file(browse: Browse, gateway: Gateway) -> None:
    propose(browse, gateway, text=FIRST)
    status, page = propose(browse, gateway, option="dpd", value="75")
    assert status == 200
    assert "Configuration 2 of eu-west" in page
    assert "dpd = 75" in page
    assert "dpd = 75\n" in configs.text_of(ConfigRevision.objects.get(number=2))


def test_a_refusal_keeps_what_was_typed_but_no_text(browse: Browse, gateway: Gateway) -> None:
    status, page = propose(browse, gateway, text="key-pin = 0815\n", option="dpd")
    assert status == 422
    assert "must be the file as it is there" in page
    assert 'value="because"' in page
    assert "0815" not in page
    assert not ConfigRevision.objects.exists()


def test_beyond_the_list_a_second_person_and_a_signature_are_needed(
    browse: Browse, gateway: Gateway, people: dict[str, User], tmp_path: Path
) -> None:
    propose(browse, gateway, text=FIRST)
    _, page = propose(browse, gateway, option="connect-script", value="/usr/bin/true")
    assert "Waits for a second person" in page
    request = Request.objects.get(kind="config.agree")
    oncall = browse("oncall")
    assert "runs as root" in oncall.get(f"/changes/{request.pk}/").content.decode()
    oncall.post(f"/changes/{request.pk}/approve/", {"digest": request.digest, "reason": "Seen."})
    row = ConfigRevision.objects.get(number=2)
    assert "No approver has signed" in oncall.get(f"/configs/{row.pk}/").content.decode()
    statement = oncall.get(f"/configs/{row.pk}/statement/").content.decode()
    key = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    ApproverKey.objects.create(user=people["oncall"], public_key=public, fingerprint="SHA256:x", added_at=row.made_at)
    signature = run("ssh-keygen", "-q", "-Y", "sign", "-n", "handover", "-f", str(key), stdin=statement)
    file = SimpleUploadedFile("config-2.json.sig", signature.encode())
    page = oncall.post(f"/configs/{row.pk}/sign/", {"file": file}, follow=True).content.decode()
    assert "Signed by oncall" in page


@pytest.mark.parametrize(
    ("who", "why"),
    # Who may not see a pool is told of none.
    [("oncall", "You may not propose"), ("auditor", "You may not propose"), ("stranger", "Choose the pool")],
)
def test_without_the_right_nothing_is_stored(browse: Browse, gateway: Gateway, who: str, why: str) -> None:
    status, page = propose(browse, gateway, who, text=FIRST)
    assert status == 422
    assert why in page
    assert not ConfigRevision.objects.exists()


def test_get_changes_nothing_and_a_stranger_sees_nothing(browse: Browse, gateway: Gateway) -> None:
    propose(browse, gateway, text=FIRST)
    row = ConfigRevision.objects.get()
    assert browse("operator").get("/configs/add/").status_code == 405
    assert browse("oncall").get(f"/configs/{row.pk}/sign/").status_code == 405
    for path in (f"/configs/{row.pk}/", f"/configs/{row.pk}/statement/"):
        assert browse("stranger").get(path).status_code == 404
        assert browse("auditor").get(path).status_code == 200


def test_a_signature_of_nobody_is_refused_and_said(browse: Browse, gateway: Gateway) -> None:
    propose(browse, gateway, text=FIRST)
    propose(browse, gateway, option="connect-script", value="/usr/bin/true")
    row = ConfigRevision.objects.get(number=2)
    answer = browse("oncall").post(f"/configs/{row.pk}/sign/", {"signature": "-----BEGIN SSH SIGNATURE-----"})
    assert answer.status_code == 422
    assert "Nothing was done" in answer.content.decode()
