"""Trust statements: drawn when two agreed, signed by those whom gateways trust until then, followed by all."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from pytest_django import Settings

from approvals import changes, statement
from approvals.errors import Refused
from approvals.models import Actor, ApproverKey, Request, User
from fleet import errands
from fleet.gateways.crowd import Crowd
from fleet.gateways.machine import Machine
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.simulated_base import World
from fleet.models import Errand, Gateway
from fleet.ocgate import repin
from fleet.ocgate import statement as on_the_gateway
from fleet.ocgate import trust as on_a_gateway
from fleet.ocgate.errors import Refused as NotOnTheGateway
from releases import cms, proposals, signers, statements
from releases.models import TrustedSigner, TrustStatement
from tests import factories
from tests.db.releases.cast import NOW, trust
from tests.unit.releases import company, desk

pytestmark = pytest.mark.django_db
LI, KIM = desk.key("li"), desk.key("kim")
AT_DESK = Actor.machine("test")


@pytest.fixture
def people() -> dict[str, User]:
    cast = factories.cast()
    for name, codename in (("operator", "propose_trust"), ("oncall", "approve_trust")):
        cast[name].user_permissions.add(Permission.objects.get(codename=codename))
    return cast


@pytest.fixture
def li(people: dict[str, User]) -> TrustedSigner:
    factories.fleet(now=NOW)
    return trust("li")


def actor(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk)


def agreed(request: Request, people: dict[str, User]) -> None:
    by = people["oncall"]
    changes.decide(request, by=by, actor=actor(by), now=NOW, yes=True, reason="", digest=request.digest)


def trusted(people: dict[str, User], text: str, label: str, crl: str = "") -> TrustStatement:
    by, proposed = people["operator"], signers.read(text, label=label, crl=crl, now=NOW)
    agreed(proposals.propose_trust(proposed, by=by, actor=actor(by), now=NOW, why="new"), people)
    return TrustStatement.objects.get(state="waiting")


def signed(row: TrustStatement, data: bytes, kind: str = "asc") -> TrustStatement:
    return statements.sign(row, data, kind=kind, actor=AT_DESK, now=NOW)


def sent(people: dict[str, User], text: str, label: str) -> TrustStatement:
    """Agreed by two, signed by Li, on its way."""
    row = trusted(people, text, label)
    return signed(row, desk.signature(LI, row.text.encode()))


def test_it_reads_on_the_gateway_as_it_was_drawn(people: dict[str, User], li: TrustedSigner) -> None:
    row = trusted(people, desk.public(KIM), "Kim")
    fields = on_the_gateway.parse(row.text, kind="trust", gateway="fra-gw-01", now=NOW.timestamp())
    assert (fields["serial"], fields["threshold"], len(fields["openpgp"]), fields["cas"]) == (1, 1, 2, [])
    assert [signer.label for signer in statements.needs(row)] == ["Li"]


def test_what_it_pins_verifies_on_the_gateway(people: dict[str, User], li: TrustedSigner, tmp_path: Path) -> None:
    sent(people, desk.public(KIM), "Kim")
    row = trusted(people, company.authority().pem, "Code CA", company.crl())
    for name, data in repin.wanted(json.loads(row.text), gateway="fra-gw-01").items():
        (tmp_path / name).write_bytes(data)
    sums, sigs = "the exact bytes\n", {"a.asc": desk.signature(KIM, b"the exact bytes\n").decode()}
    sigs["b.p7s"] = cms.text("b.p7s", company.signature(company.person("Ana"), sums.encode(), form="DER"))
    both = [{"name": name, "text": text} for name, text in sigs.items()]
    assert len(on_a_gateway.verify(sums, both, tmp_path)) == 2
    with pytest.raises(NotOnTheGateway):
        on_a_gateway.verify("others\n", both, tmp_path)


def test_approvers_are_asked_for_as_gateways_were_last_told(
    people: dict[str, User], li: TrustedSigner, settings: Settings
) -> None:
    row = sent(people, desk.public(KIM), "Kim")
    settings.APPROVERS_NEEDED = 2
    assert statement.needed() == 1
    for name in ("operator", "oncall"):
        key = f"ssh-ed25519 {name}"
        ApproverKey.objects.create(user=people[name], public_key=key, fingerprint=name, added_at=NOW)
    later = proposals.draw_statement(by=people["operator"], actor=actor(people["operator"]), now=NOW)
    told = json.loads(signed(later, desk.signature(LI, later.text.encode())).text)["approvers"]
    assert ([key["name"] for key in told["keys"]], told["needed"]) == (["oncall", "operator"], 2)
    assert (row.serial, statement.needed()) == (1, 2)


def test_fewer_approvers_than_it_takes_are_none(people: dict[str, User], li: TrustedSigner, settings: Settings) -> None:
    settings.APPROVERS_NEEDED = 2
    about = {"user": people["oncall"], "public_key": "ssh-ed25519 AAAA", "fingerprint": "x", "added_at": NOW}
    ApproverKey.objects.create(**about)
    assert statements.approvers() == {"needed": 2, "keys": []}
    ApproverKey.objects.create(**{**about, "public_key": "ssh-ed25519 BBBB", "fingerprint": "y"})
    assert statements.approvers() == {"needed": 2, "keys": []}, "two keys are not two people"
    settings.APPROVERS_NEEDED = 1
    second = {"name": "oncall-2", "key": "ssh-ed25519 BBBB", "person": "oncall"}
    assert statements.approvers()["keys"] == [{"name": "oncall", "key": "ssh-ed25519 AAAA"}, second]


def test_only_the_old_signers_count(people: dict[str, User], li: TrustedSigner) -> None:
    row = trusted(people, desk.public(KIM), "Kim")
    with pytest.raises(Refused, match="not a trusted signer"):
        signed(row, desk.signature(KIM, row.text.encode()))
    with pytest.raises(Refused, match="does not fit the statement"):
        signed(row, desk.signature(LI, b"another"))
    assert signed(row, desk.signature(LI, row.text.encode())).state == "sent"
    assert Errand.objects.filter(kind="trust", subject="trust:1", state="due").count() == 4
    with pytest.raises(Refused, match="takes no signature any more"):
        signed(row, desk.signature(LI, row.text.encode()))


def test_as_many_as_the_old_threshold_asks_for(people: dict[str, User], li: TrustedSigner, settings: object) -> None:
    settings.RELEASE_THRESHOLD = 2  # type: ignore[attr-defined]  # pytest-django's wrapper
    trust("kim")
    row = trusted(people, company.authority().pem, "Code CA", company.crl())
    for _ in range(2):
        row = signed(row, desk.signature(LI, row.text.encode()))
        assert (row.state, len(row.signatures)) == ("waiting", 1)
    assert signed(row, desk.signature(KIM, row.text.encode())).state == "sent"


def test_rotation_leaves_nobody_behind(people: dict[str, User], li: TrustedSigner) -> None:
    first = sent(people, desk.public(KIM), "Kim")
    by = people["operator"]
    agreed(proposals.propose_distrust(li, by=by, actor=actor(by), now=NOW, why="left"), people)
    second = TrustStatement.objects.get(state="waiting")
    assert (first.serial, second.serial) == (1, 2)
    assert {signer.label for signer in statements.needs(second)} == {"Li", "Kim"}
    assert len(json.loads(second.text)["openpgp"]) == 1
    assert signed(second, desk.signature(KIM, second.text.encode())).state == "sent"
    assert errands.behind("trust:2").count() == 4


def test_a_later_one_replaces_what_still_waits(people: dict[str, User], li: TrustedSigner) -> None:
    first = trusted(people, desk.public(KIM), "Kim")
    second = trusted(people, company.authority().pem, "Code CA", company.crl())
    first.refresh_from_db()
    assert (first.state, second.serial) == ("replaced", 2)
    assert [signer.label for signer in statements.needs(second)] == ["Li"]


def test_nothing_new_is_not_drawn_again(people: dict[str, User], li: TrustedSigner) -> None:
    sent(people, desk.public(KIM), "Kim")
    by = people["operator"]
    with pytest.raises(Refused, match="told exactly this already"):
        proposals.draw_statement(by=by, actor=actor(by), now=NOW)


def test_it_ends(people: dict[str, User], li: TrustedSigner) -> None:
    row = trusted(people, desk.public(KIM), "Kim")
    late = NOW + timedelta(days=91)
    with pytest.raises(Refused, match="takes no signature any more"):
        statements.sign(row, desk.signature(LI, row.text.encode()), kind="asc", actor=AT_DESK, now=late)


def machine(name: str) -> MemoryGateway:
    return MemoryGateway(
        Machine(name, crowd=Crowd(name, users=0)), world=World(clock=NOW.timestamp, sleep=lambda _: None)
    )


def ran(errand: Errand, door: MemoryGateway | None = None) -> Errand:
    door = door or machine(errand.gateway.name)
    errands.run(errand.pk, owner="test", opener=lambda _: door, clock=lambda: NOW + timedelta(seconds=1))
    return Errand.objects.get(pk=errand.pk)


def test_the_errand_hands_it_over_and_says_so(people: dict[str, User], li: TrustedSigner) -> None:
    sent(people, desk.public(KIM), "Kim")
    errand = Errand.objects.filter(gateway__name="fra-gw-01").get()
    done = ran(errand)
    assert (done.state, done.say) == ("done", "fra-gw-01 trusts so now: serial 1.")
    assert errands.behind("trust:1").count() == 3


def test_who_slept_gets_the_earlier_ones_first(people: dict[str, User], li: TrustedSigner) -> None:
    sent(people, desk.public(KIM), "Kim")
    second = trusted(people, company.authority().pem, "Code CA", company.crl())
    signed(second, desk.signature(KIM, second.text.encode()))
    door = machine("fra-gw-01")
    first, last = Errand.objects.filter(gateway__name="fra-gw-01").order_by("subject")
    assert ran(last, door).say == "fra-gw-01 trusts so now: serial 2."
    assert ran(first, door).say == "fra-gw-01 trusts statement 1 or a later one already."


def test_striking_off_warns_while_gateways_are_behind(people: dict[str, User], li: TrustedSigner) -> None:
    by = people["operator"]
    row = trusted(people, desk.public(KIM), "Kim")
    ask = proposals.propose_distrust(li, by=by, actor=actor(by), now=NOW, why="left")
    assert ask.summary["warning"].startswith("The trust statement 1 still waits for signatures")
    signed(row, desk.signature(LI, row.text.encode()))
    assert statements.why_not_rotate() == "4 gateways have not followed trust statement 1 yet."
    Errand.objects.update(state="done")
    assert statements.why_not_rotate() == ""


def test_who_came_since_is_sent_it_too(people: dict[str, User], li: TrustedSigner) -> None:
    row = sent(people, desk.public(KIM), "Kim")
    Errand.objects.all().delete()
    Gateway.objects.filter(name="ams-gw-01").update(inventory={"trust": {"serial": 0}})
    Gateway.objects.filter(name="ams-gw-02").update(inventory={"trust": {"serial": 1}})
    assert statements.send_again(row, actor=AT_DESK, now=NOW) == 1
    assert [errand.gateway.name for errand in errands.behind("trust:1")] == ["ams-gw-01"]


@pytest.mark.parametrize("kind", ["trust", "crl"])
def test_what_is_gone_is_said(li: TrustedSigner, kind: str) -> None:
    about = {"trust": {"statement": 0}, "crl": {"signer": li.pk}}[kind]
    with transaction.atomic():
        errands.send([Gateway.objects.get(name="fra-gw-01")], kind, subject="x", args=about, now=NOW)
    failed = ran(Errand.objects.get())
    assert (failed.state, "is gone" in failed.say) == ("failed", True)
