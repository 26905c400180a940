from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command

from approvals.models import AuditEvent, Request, User
from fleet.models import Gateway, Pool
from releases.models import Signature, TrustedSigner
from tests.unit.releases import company, desk

pytestmark = pytest.mark.django_db
LI = desk.key("li")


def run(*arguments: object) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def add_signer(folder: Path) -> str:
    (folder / "li.asc").write_text(desk.public(LI))
    return run("signer", "add", folder / "li.asc", "--label", "Li")


def test_from_key_to_listed_release(tmp_path: Path) -> None:
    assert add_signer(tmp_path) == f"Signatures of Li count from now on: {desk.fingerprint(LI)}.\n"
    assert run("signer", "list") == f"{desk.fingerprint(LI)}\ttrusted\tLi\n"
    assert run("release", "add", desk.release(tmp_path / "in", LI)).startswith("1.3.0-2 is in the repository, digest ")
    assert run("release", "list").startswith("1.3.0-2\tocserv\tready\t")
    assert run("release", "yank", "1.3.0-2", "--reason", "crashes").startswith("1.3.0-2 was withdrawn")
    assert run("release", "list").startswith("1.3.0-2\tocserv\tyanked\t")


def test_a_refusal_is_the_commands_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no folder with a release"):
        run("release", "add", tmp_path / "none")
    (tmp_path / "x").write_text("hello")
    with pytest.raises(CommandError, match="not one OpenPGP public key"):
        run("signer", "add", tmp_path / "x", "--label", "X")
    with pytest.raises(CommandError, match="can't be read as a key"):
        run("signer", "add", tmp_path / "none", "--label", "X")


def test_a_signer_can_be_dropped(tmp_path: Path) -> None:
    add_signer(tmp_path)
    run("signer", "drop", desk.fingerprint(LI).lower(), "--reason", "lost laptop")
    assert "not trusted" in run("signer", "list")
    with pytest.raises(CommandError, match="is signed by Li, who is not trusted any more"):
        run("release", "add", desk.release(tmp_path / "in", LI))


def test_unknown_names_are_errors() -> None:
    with pytest.raises(CommandError, match="No release is called x"):
        run("release", "yank", "x", "--reason", "y")
    with pytest.raises(CommandError, match="No signer has the fingerprint x"):
        run("signer", "drop", "x", "--reason", "y")


class TestAfterTheFirstSetUp:
    """A release is here: from now on the command only proposes."""

    @pytest.fixture(autouse=True)
    def _over(self, tmp_path: Path) -> None:
        add_signer(tmp_path)
        run("release", "add", desk.release(tmp_path / "in", LI))
        (tmp_path / "kim.asc").write_text(desk.public(desk.key("kim")))
        ola = User.objects.create(username="ola")
        ola.user_permissions.add(Permission.objects.get(codename="propose_trust"))

    def test_nobody_is_trusted_on_roots_word(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="The first set-up is over"):
            run("signer", "add", tmp_path / "kim.asc", "--label", "Kim")
        with pytest.raises(CommandError, match="The first set-up is over"):
            run("signer", "drop", desk.fingerprint(LI), "--reason", "left")
        assert [(row.label, row.active) for row in TrustedSigner.objects.all()] == [("Li", True)]

    def test_it_proposes_in_somebodys_name(self, tmp_path: Path) -> None:
        words = ("--by", "ola", "--reason", "joins")
        said = run("signer", "add", tmp_path / "kim.asc", "--label", "Kim", *words)
        waits = f"change {Request.objects.get().pk} waits for another person.\n"
        assert said == f"Trust the signer Kim in the group release: {waits}"
        assert "Strike Li off" in run("signer", "drop", desk.fingerprint(LI), *words)
        assert TrustedSigner.objects.count() == 1

    def test_the_same_again_changes_nothing(self, tmp_path: Path) -> None:
        assert add_signer(tmp_path).startswith("Signatures of Li count from now on")
        assert not Request.objects.exists()

    def test_only_a_ca_has_a_list_of_revoked_certificates(self, tmp_path: Path) -> None:
        (tmp_path / "crl.pem").write_text(company.crl())
        with pytest.raises(CommandError, match="Li is a person's key"):
            run("signer", "crl", desk.fingerprint(LI), tmp_path / "crl.pem")


def test_a_ca_from_the_command_line_signs_a_release(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(company.authority().pem)
    (tmp_path / "crl.pem").write_text(company.crl())
    run("signer", "add", tmp_path / "ca.pem", "--label", "Code CA", "--crl", tmp_path / "crl.pem", "--group", "company")
    folder = desk.release(tmp_path / "in")
    sums = (folder / "SHA256SUMS").read_bytes()
    (folder / "SHA256SUMS.p7s").write_bytes(company.signature(company.person("Li"), sums, form="DER"))
    run("release", "add", folder)
    kept = Signature.objects.get()
    assert (kept.identity, kept.signer.group, kept.name) == ("CN=Li,O=Example", "company", "SHA256SUMS.p7s")
    (tmp_path / "newer.pem").write_text(company.crl(until=company.START + 60 * company.DAY))
    fingerprint = TrustedSigner.objects.get().fingerprint
    assert run("signer", "crl", fingerprint, tmp_path / "newer.pem") == "The list is taken; gateways follow.\n"
    assert run("signer", "crl", fingerprint, tmp_path / "newer.pem") == "This list is here already.\n"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    add_signer(tmp_path)
    call_command(
        "release", "add", str(desk.release(tmp_path / "in", LI)), stdout=StringIO(), stderr=(seen := Terminal())
    )
    assert "Copied 100 % of 0 MiB; looking at every member…\n" in seen.getvalue()


def test_how_a_gateway_gets_its_bundles_is_recorded_once() -> None:
    Gateway.objects.create(name="gw-1", pool=Pool.objects.create(name="eu"))
    for _ in range(2):
        assert run("release", "bring", "gw-1", "download") == "gw-1 downloads its bundles itself from now on.\n"
    assert Gateway.objects.get().calls_in
    assert AuditEvent.objects.filter(verb="gateway.calls_in").count() == 1
    run("release", "bring", "gw-1", "ssh")
    assert not Gateway.objects.get().calls_in
    with pytest.raises(CommandError, match="No gateway is called x"):
        run("release", "bring", "x", "ssh")
