"""Signers and channels: asked by one, decided by another; and the trust statement on its way to the gateways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from approvals import changes
from approvals.models import Actor, AuditEvent, Request, User
from fleet.models import Errand
from releases import signers
from releases.models import ChannelPolicy, TrustedSigner, TrustStatement
from tests import factories
from tests.unit.releases import company, desk
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
LI, KIM = desk.key("li"), desk.key("kim")


@pytest.fixture(autouse=True)
def _rights(people: dict[str, User]) -> None:
    """The operator may ask about signers, on-call decides; both look at the pool."""
    for name, codename in (("operator", "propose_trust"), ("oncall", "approve_trust")):
        people[name].user_permissions.add(Permission.objects.get(codename=codename))


@pytest.fixture
def li() -> TrustedSigner:
    """Li, trusted since the first set-up; four gateways believe her."""
    factories.fleet()
    now = timezone.now()
    return signers.trust(signers.read(desk.public(LI), label="Li", now=now), actor=Actor.machine("set-up"), now=now)


def file(text: str | bytes, name: str = "file") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text if isinstance(text, bytes) else text.encode())


def ask_for_kim(client: Client, **fields: Any) -> Any:
    said = {"label": "Kim", "group": "release", "why": "Kim joins the desk", "key": file(desk.public(KIM))}
    return client.post("/signers/add/", said | fields)


def agree(people: dict[str, User], request: Request) -> None:
    by = people["oncall"]
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    changes.decide(request, by=by, actor=actor, now=timezone.now(), yes=True, reason="", digest=request.digest)


def test_a_new_signer_counts_when_another_agreed(browse: Browse, people: dict[str, User], li: TrustedSigner) -> None:
    page = ask_for_kim(browse("operator"))
    request = Request.objects.get()
    assert (page.status_code, page.headers["Location"]) == (302, f"/changes/{request.pk}/")
    assert not TrustedSigner.objects.filter(label="Kim").exists()
    agree(people, request)
    kim = TrustedSigner.objects.get(label="Kim")
    assert (kim.fingerprint, kim.active, kim.group) == (desk.fingerprint(KIM), True, "release")
    event = AuditEvent.objects.get(verb="signer.trusted", subject=f"signer:{kim.pk}")
    assert event.actor == "oncall"


@pytest.mark.parametrize("who", ["oncall", "auditor"])
def test_asking_needs_the_right(browse: Browse, li: TrustedSigner, who: str) -> None:
    page = ask_for_kim(browse(who))
    assert page.status_code == 422
    assert b"you lack the right releases.propose_trust" in page.content
    assert not Request.objects.exists()


def test_what_is_wrong_with_the_key_is_said(browse: Browse, li: TrustedSigner) -> None:
    for fields, say in (
        ({"key": file("hello")}, b"not one OpenPGP public key"),
        ({"key": file(str(KIM))}, b"This is a private key"),
        ({"key": file(b"\xff")}, b"is no text"),
        ({"why": " "}, b"Say why: who decides needs the reason."),
        ({"group": "No Such!"}, b"A group is a word"),
        ({"key": file(company.authority().pem)}, b"A CA comes with its list of revoked certificates"),
    ):
        page = ask_for_kim(browse("operator"), **fields)
        assert page.status_code == 422
        assert say in page.content
        assert_clean(page)


def test_a_company_ca_comes_with_its_list(browse: Browse, people: dict[str, User], li: TrustedSigner) -> None:
    ca = {"key": file(company.authority().pem), "crl": file(company.crl()), "label": "Code CA", "group": "company"}
    assert ask_for_kim(browse("operator"), **ca).status_code == 302
    agree(people, Request.objects.get(kind="ca.trust"))
    row = TrustedSigner.objects.get(kind="ca")
    page = browse("auditor").get("/signers/")
    assert b"company CA" in page.content
    newer = file(company.crl(revoked=[company.person()]))
    assert browse("operator").post(f"/signers/{row.pk}/crl/", {"crl": newer}).status_code == 302
    assert Errand.objects.filter(kind="crl", subject=f"crl:{row.pk}").count() == 4
    assert AuditEvent.objects.get(verb="signer.crl_taken").actor == "operator"
    page = browse("auditor").get("/signers/")
    assert_clean(page)
    assert b"4 gateways have not followed the newest list of revoked certificates" in page.content
    Errand.objects.filter(kind="crl").update(state="done")
    page = browse("auditor").get("/signers/")
    assert b"Every gateway has followed the newest list of revoked certificates" in page.content
    older = file(company.crl(made=company.START - 9 * company.DAY))
    page = browse("operator").post(f"/signers/{row.pk}/crl/", {"crl": older})
    assert page.status_code == 409
    assert b"older than the one here" in page.content


def test_gateways_follow_once_the_old_signer_has_signed(
    browse: Browse, people: dict[str, User], li: TrustedSigner
) -> None:
    ask_for_kim(browse("operator"))
    agree(people, Request.objects.get())
    row = TrustStatement.objects.get()
    page = browse("operator").get("/signers/")
    assert b"Trust statement 1 waits: it has 0 of 1 signature" in page.content
    text = browse("operator").get("/signers/trust/1/").content
    assert text.decode() == row.text
    wrong = {"signature": file(desk.signature(KIM, text))}
    page = browse("operator").post("/signers/trust/1/sign/", wrong)
    assert (page.status_code, b"not a trusted signer" in page.content) == (409, True)
    assert not Errand.objects.exists()
    assert (
        browse("operator").post("/signers/trust/1/sign/", {"signature": file(desk.signature(LI, text))}).status_code
        == 302
    )
    assert Errand.objects.filter(kind="trust", subject="trust:1").count() == 4
    assert b"4 gateways have not followed trust statement 1" in browse("auditor").get("/signers/").content


def test_who_is_behind_is_seen_while_the_next_statement_waits(
    browse: Browse, people: dict[str, User], li: TrustedSigner
) -> None:
    ask_for_kim(browse("operator"))
    agree(people, Request.objects.get())
    text = browse("operator").get("/signers/trust/1/").content
    browse("operator").post("/signers/trust/1/sign/", {"signature": file(desk.signature(LI, text))})
    Errand.objects.exclude(gateway__name="fra-gw-01").update(state="done")
    browse("operator").post(f"/signers/{li.pk}/strike/", {"why": "left"})
    agree(people, Request.objects.get(kind="signer.distrust"))
    page = browse("auditor").get("/signers/")
    assert_clean(page)
    assert b"Trust statement 2 waits" in page.content
    assert b"1 gateway has not followed trust statement 1 yet; these get both" in page.content
    Errand.objects.update(state="done")
    assert b"not followed" not in browse("auditor").get("/signers/").content


def test_a_signer_is_struck_off_by_two(browse: Browse, people: dict[str, User], li: TrustedSigner) -> None:
    page = browse("operator").post(f"/signers/{li.pk}/strike/", {"why": "lost laptop"})
    assert page.status_code == 302
    assert TrustedSigner.objects.get().active
    agree(people, Request.objects.get())
    assert not TrustedSigner.objects.get().active
    page = browse("operator").post(f"/signers/{li.pk}/strike/", {"why": "lost laptop"})
    assert (page.status_code, b"Li is not trusted any more" in page.content) == (422, True)


def test_a_weaker_policy_is_called_weaker(browse: Browse, people: dict[str, User], li: TrustedSigner) -> None:
    said = {"threshold": "2", "group": "", "max_age_days": "0", "matrix": ["static"], "why": "faster"}
    assert browse("operator").post("/signers/channels/production/", said).status_code == 302
    request = Request.objects.get(kind="policy.change")
    assert request.summary["warning"] == (
        "This asks for less: signatures of any age old, no longer the functional, stress tests."
    )
    agree(people, request)
    assert ChannelPolicy.objects.get(channel="production").threshold == 2
    page = browse("operator").post("/signers/channels/production/", said | {"threshold": "0"})
    assert (page.status_code, b"1 to 10 signers" in page.content) == (422, True)


POSTS = ["add/", "1/strike/", "1/crl/", "trust/draw/", "trust/1/sign/", "trust/1/send/", "channels/production/"]


@pytest.mark.parametrize("path", POSTS)
def test_writing_is_by_post_only(browse: Browse, path: str) -> None:
    assert browse("operator").get(f"/signers/{path}").status_code == 405


def test_an_empty_house_says_how_to_begin(browse: Browse, tmp_path: Path) -> None:
    factories.fleet()
    page = browse("operator").get("/signers/")
    assert b"manage.py signer add FILE --label NAME" in page.content
    assert_clean(page)
