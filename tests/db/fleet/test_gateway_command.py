"""`manage.py gateway`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from approvals.models import AuditEvent
from fleet import imports, sealed
from fleet.gateways.dial import private_key
from fleet.gateways.scan import Scanned
from fleet.models import Gateway
from tests import factories

pytestmark = pytest.mark.django_db
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
SURE = ["--confirmed", "compared on the console"]
ADD = ["add", "fra-gw-01", "--pool", "eu-west", "--address", "192.0.2.1"]


def manage(*words: str) -> str:
    out = io.StringIO()
    call_command("gateway", *words, stdout=out)
    return out.getvalue()


def pem() -> bytes:
    plain = serialization.NoEncryption()
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, plain
    )


def test_a_gateway_is_added_and_listed(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"# from the console\nssh-ed25519 {KEY} root@fra-gw-01\n")
    assert "pinned: ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF" in manage(*ADD, *SURE, "--host-key", str(keys))
    assert manage("list").split("\t")[:4] == ["fra-gw-01", "eu-west", "192.0.2.1:22", "enrolled"]


def test_a_refusal_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="needs a host key"):
        manage(*ADD, *SURE, "--host-key", f"ecdsa-sha2-nistp256 {KEY}")
    with pytest.raises(CommandError, match="can't be read"):
        manage(*ADD, *SURE, "--host-key", "/nowhere/at/all")
    with pytest.raises(CommandError, match="No gateway is called nobody"):
        manage("pin", "nobody", *SURE, "--host-key", f"ssh-ed25519 {KEY}")
    assert not Gateway.objects.exists()


def test_the_ssh_key_is_kept_sealed_and_on_the_record(tmp_path: Path) -> None:
    secret = pem()
    (tmp_path / "key").write_bytes(secret)
    said = manage("key", str(tmp_path / "key"))
    assert isinstance(private_key(sealed.unseal("ssh-key")), paramiko.Ed25519Key)
    event = AuditEvent.objects.get()
    assert event.verb == "credential.kept"
    assert secret.decode().splitlines()[1] not in event.body + said


def test_what_is_no_key_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2")
    with pytest.raises(CommandError, match="no Ed25519 or RSA private key"):
        manage("key", str(tmp_path / "key"))
    assert sealed.unseal_or_none("ssh-key") is None


def rotate() -> str:
    out = io.StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


def test_rotation_says_how_many_and_is_on_the_record(settings: Any) -> None:
    sealed.seal("a", b"secret")
    settings.SEALING_KEYS_OLD, settings.SEALING_KEY = [settings.SEALING_KEY], "a new key"
    assert "1 credentials were sealed anew, none is left." in rotate()
    assert "0 credentials were sealed anew, none is left." in rotate()
    assert [event.verb for event in AuditEvent.objects.all()] == ["credential.rotated"]


def test_rotation_that_is_broken_off_says_what_is_left(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        sealed.seal(name, b"secret")
    settings.SEALING_KEYS_OLD, settings.SEALING_KEY = [settings.SEALING_KEY], "a new key"
    whole = sealed.rotate

    def cut() -> Iterator[str]:
        yield next(whole())
        raise KeyboardInterrupt

    monkeypatch.setattr(sealed, "rotate", cut)
    with pytest.raises(CommandError, match="1 credentials were sealed anew, 2 are left: broken off. Run it again."):
        rotate()
    monkeypatch.setattr(sealed, "rotate", whole)
    assert "2 credentials were sealed anew, none is left." in rotate()


def test_rotation_without_the_old_key_names_it(settings: Any) -> None:
    sealed.seal("a", b"secret")
    settings.SEALING_KEY = "another"
    with pytest.raises(CommandError, match="HANDOVER_SEALING_KEYS_OLD"):
        rotate()


def test_by_a_person_it_waits_for_a_second_one() -> None:
    factories.person("ola", ("enrol_gateway",))
    assert "a second person confirms it" in manage(*ADD, "--by", "ola", "--host-key", f"ssh-ed25519 {KEY}")
    assert manage("list").split("\t")[3] == "proposed"
    with pytest.raises(CommandError, match="Nobody is called"):
        manage(*ADD, "--by", "nobody", "--host-key", f"ssh-ed25519 {KEY}")


def test_confirmed_needs_its_reason_and_keeps_it() -> None:
    with pytest.raises(CommandError, match="one of the arguments --by --confirmed is required"):
        manage(*ADD, "--host-key", f"ssh-ed25519 {KEY}")
    manage(*ADD, *SURE, "--host-key", f"ssh-ed25519 {KEY}")
    event = AuditEvent.objects.get()
    assert (event.verb, event.reason) == ("gateway.enrolled", "compared on the console")


def test_a_list_is_shown_and_then_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.person("ola", ("enrol_gateway",))
    shown = {"192.0.2.1": Scanned("192.0.2.1", 22, (("ssh-ed25519", KEY),))}
    silent = Scanned("192.0.2.2", 22, (), "192.0.2.2 did not answer.")
    monkeypatch.setattr(imports, "scan_all", lambda places, tell: [shown.get(address, silent) for address, _ in places])
    (tmp_path / "list.csv").write_text("name,address\nfra-gw-01,192.0.2.1\nfra-gw-02,192.0.2.2\nBad Name,x\n")
    words = ("import", str(tmp_path / "list.csv"), "--pool", "eu-west")
    assert [line.split("\t")[0] for line in manage(*words).splitlines()] == ["new", "silent", "refused"]
    assert not Gateway.objects.exists()
    assert "asked as change" in manage(*words, "--by", "ola")
    assert Gateway.objects.get().state == "proposed"
    assert manage(*words).startswith("known\tfra-gw-01")
