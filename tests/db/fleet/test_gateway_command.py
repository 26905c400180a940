"""`manage.py gateway`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from approvals.models import AuditEvent
from fleet import sealed
from fleet.gateways.dial import private_key
from fleet.models import Gateway

pytestmark = pytest.mark.django_db
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
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
    assert "pinned: ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF" in manage(*ADD, "--host-key", str(keys))
    assert manage("list").split("\t")[:4] == ["fra-gw-01", "eu-west", "192.0.2.1:22", "enrolled"]


def test_a_refusal_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="needs a host key"):
        manage(*ADD, "--host-key", f"ecdsa-sha2-nistp256 {KEY}")
    with pytest.raises(CommandError, match="can't be read"):
        manage(*ADD, "--host-key", "/nowhere/at/all")
    with pytest.raises(CommandError, match="No gateway is called nobody"):
        manage("pin", "nobody", "--host-key", f"ssh-ed25519 {KEY}")
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


def test_rotation_says_how_many(settings: Any) -> None:
    sealed.seal("a", b"secret")
    settings.SEALING_KEYS_OLD, settings.SEALING_KEY = [settings.SEALING_KEY], "a new key"
    assert manage("rotate") == "1 credentials were sealed anew.\n"
