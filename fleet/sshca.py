"""The product's own SSH CA: a fresh key and a certificate of minutes for each connection, where the host trusts the CA.

A certificate names one gateway as its principal, may run one command and nothing else, and says who asked for it. The
CA's key is sealed like every secret (fleet/sealed.py); certificates and their keys exist in memory only.
"""

from __future__ import annotations

import io
import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType

from fleet import sealed
from fleet.errors import GiveUp

SSH_CA = "ssh-ca"  # the credential's name
COMMAND = "sudo -n /usr/lib/ocgate/ocgate serve"
"""sshd compares it with the command in authorized_keys and refuses a certificate that says another one."""
GOOD_FOR = timedelta(minutes=15)
EARLIER = timedelta(minutes=5)  # a gateway's clock may be behind ours


@dataclass(frozen=True)
class Stamp:
    """What a certificate says. `principal`: the gateway's name; `asked`: who connects, for the gateway's log."""

    principal: str
    asked: str
    now: datetime
    good_for: timedelta = GOOD_FOR
    command: str = COMMAND


def make() -> bytes:
    """A new Ed25519 private key as OpenSSH writes it, without a passphrase."""
    return _openssh(Ed25519PrivateKey.generate())


def public_line(private: bytes) -> str:
    """The "ssh-ed25519 AAAA…" of a private key. GiveUp when it is none; the message tells nothing of the secret."""
    public = _ed25519(private).public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def trusted_line(private: bytes) -> str:
    """What a gateway is told to trust of this CA; it adds restrict, its own name as principal and the one command."""
    return f"cert-authority {public_line(private)}"


def certified(ca: bytes, stamp: Stamp) -> paramiko.PKey:
    """A fresh key with its certificate, ready to sign in with."""
    own = Ed25519PrivateKey.generate()
    builder = (
        SSHCertificateBuilder()
        .public_key(own.public_key())
        .serial(secrets.randbits(63))
        .type(SSHCertificateType.USER)
        .key_id(stamp.asked.encode()[:200])
        .valid_principals([stamp.principal.encode()])
        .valid_after(int((stamp.now - EARLIER).timestamp()))
        .valid_before(int((stamp.now + stamp.good_for).timestamp()))
        .add_critical_option(b"force-command", stamp.command.encode())
    )
    key = paramiko.Ed25519Key.from_private_key(io.StringIO(_openssh(own).decode()))
    key.load_certificate(builder.sign(_ed25519(ca)).public_bytes().decode())
    return key


def key_for(gateway: str, *, now: datetime, command: str = COMMAND) -> paramiko.PKey:
    """The key and certificate for one connection to a machine that trusts the CA. GiveUp where there is no CA."""
    ca = sealed.unseal_or_none(SSH_CA)
    if ca is None:
        raise GiveUp(
            f"{gateway} is set to trust our SSH CA and there is none. Make one on the page Credentials.",
            code="no_ssh_key",
        )
    asked = f"handover {socket.gethostname()} pid {os.getpid()} {secrets.token_hex(4)}"
    return certified(ca, Stamp(gateway, asked, now, command=command))


def _ed25519(private: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_ssh_private_key(private, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        # Neither the text nor the library's reason is shown: both may hold parts of the secret.
        raise GiveUp("This is no Ed25519 private key without a passphrase.", code="no_ssh_key") from None
    return key


def _openssh(key: Ed25519PrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, plain)
