"""The kit: what a machine needs to become a gateway. The same bytes each time, checked by the command, no secret."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import Actor, AuditEvent
from fleet import kit, sealed, sshca
from fleet.models import Gateway
from fleet.ocgate import config, policy
from releases.models import TrustedSigner
from tests import factories
from tests.unit.releases import desk

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ALICE = desk.fingerprint(desk.key("alice"))
CURL = Actor.machine("curl")
CONFIG: dict[str, Any] = {
    "public": {"ipv4": ["203.0.113.11"], "ipv6": []},
    "port": 443,
    "inner_port": 4443,
    "ocserv_conf": "/etc/ocserv/ocserv.conf",
    "slots": {str(n): {"ipv4": f"198.18.0.{n}", "pool4": f"10.10.{n}.0/24"} for n in (1, 2)},
    "sticky_seconds": 7200,
    "out": ["eth0"],
}


@pytest.fixture
def gateway() -> Gateway:
    sealed.seal("ssh-key", sshca.make())
    TrustedSigner.objects.create(
        fingerprint=ALICE, label="Alice", public_key=desk.public(desk.key("alice")), added_at=NOW, group="release"
    )
    made = factories.gateway("fra-gw-01")
    made.config = CONFIG
    made.save()
    return made


def files(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def test_it_holds_what_the_installer_reads(gateway: Gateway, tmp_path: Path) -> None:
    made = files(kit.kit_of(gateway).data)
    (tmp_path / "config.json").write_bytes(made["config.json"])
    assert config.load(tmp_path / "config.json").out == ("eth0",)
    (tmp_path / "policy.json").write_bytes(made["trust/policy.json"])
    pinned = policy.read(tmp_path)
    assert (pinned.threshold, pinned.gateway) == (1, "fra-gw-01")
    assert list(pinned.openpgp) == [ALICE]
    assert made["key.pub"].startswith(b"ssh-ed25519 AAAA")
    (tmp_path / "keyring").write_bytes(made["trust/openpgp.gpg"])
    listing = ["gpg", "--batch", "--homedir", str(tmp_path), "--show-keys", "--with-colons", str(tmp_path / "keyring")]
    assert ALICE in subprocess.run(listing, capture_output=True, text=True, check=True).stdout


def test_the_same_rows_give_the_same_bytes_and_no_secret_is_in_them(gateway: Gateway) -> None:
    first, second = kit.kit_of(gateway), kit.kit_of(gateway)
    assert first.sha256 == second.sha256
    secret = sealed.unseal("ssh-key")
    assert secret.splitlines()[1] not in first.data
    assert b"PRIVATE" not in files(first.data)["key.pub"]


def test_the_command_checks_the_hash_before_anything_runs(gateway: Gateway, tmp_path: Path) -> None:
    made = kit.kit_of(gateway)
    (tmp_path / made.name).write_bytes(made.data + b"one more byte")
    script = kit.script(gateway, made, f"cp {tmp_path / made.name} .", adopt=True)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "FAILED" in done.stdout
    assert "usage" not in done.stderr


def test_a_ticket_opens_this_kit_and_is_on_the_record(gateway: Gateway) -> None:
    made = kit.kit_of(gateway)
    word = kit.ticket(gateway, made)
    assert kit.opened(word, actor=CURL, now=NOW).data == made.data
    assert AuditEvent.objects.get().verb == "gateway.kit_taken"
    assert word in kit.command(gateway, made, url=f"https://dash.example/kit/{word}", adopt=True)


def test_a_ticket_for_what_has_changed_since_opens_nothing(gateway: Gateway) -> None:
    word = kit.ticket(gateway, kit.kit_of(gateway))
    Gateway.objects.update(config={**CONFIG, "port": 8443})
    with pytest.raises(Refused, match="has changed since"):
        kit.opened(word, actor=CURL, now=NOW)
    for forged in ("", "x", word[:-2] + "xx"):
        with pytest.raises(Refused, match="not good any more"):
            kit.opened(forged, actor=CURL, now=NOW)


def test_nothing_is_packed_before_a_second_person_confirmed(gateway: Gateway) -> None:
    gateway.state = Gateway.State.PROPOSED
    with pytest.raises(Refused, match="is not confirmed"):
        kit.kit_of(gateway)


def test_without_a_signer_or_a_key_it_says_so(gateway: Gateway) -> None:
    TrustedSigner.objects.all().delete()
    with pytest.raises(Refused, match="could never take one"):
        kit.kit_of(gateway)
    sealed.drop("ssh-key")
    with pytest.raises(Refused, match="no SSH key"):
        kit.kit_of(gateway)


@pytest.mark.parametrize("wrong", [{"slots": {}}, {"port": 0}, {"out": ["eth0; reboot"]}, {"public": []}])
def test_what_ocgate_would_refuse_is_not_kept(gateway: Gateway, wrong: dict[str, Any]) -> None:
    ola = factories.person("ola", ("enrol_gateway",))
    who: dict[str, Any] = {"by": ola, "actor": Actor("person", "ola", ola.pk), "now": NOW}
    with pytest.raises(Refused, match="no configuration for ocgate"):
        kit.prepare(gateway, {**CONFIG, **wrong}, **who)
    kit.prepare(gateway, {**CONFIG, "port": 8443}, **who)
    assert json.loads(json.dumps(Gateway.objects.get().config))["port"] == 8443
    with pytest.raises(Refused, match="lack the right"):
        kit.prepare(gateway, CONFIG, **{**who, "by": factories.person("ines")})
