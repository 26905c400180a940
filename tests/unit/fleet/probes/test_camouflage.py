"""A gateway that hides behind a secret in its address: found with it, told apart from a ban without it."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fleet.ocgate import probe
from fleet.probes.probegate import reads, tunnel
from fleet.probes.probegate.form import form
from fleet.probes.probegate.words import Wish

SECRET = "open-sesame"  # nosec B105 # the test's own
HIDDEN = b"HTTP/1.1 404 Not found\r\nContent-Length: 0\r\n\r\n"
REALM = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="admin"\r\nContent-Length: 0\r\n\r\n'
BANNED = b"HTTP/1.1 401 Cookie is not acceptable\r\nContent-Length: 0\r\n\r\n"
SHOWN = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<config-auth/"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    path = tmp_path_factory.mktemp("gateway") / "both.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return path


@contextmanager
def hiding(certificate: Path, hidden: bytes) -> Iterator[int]:
    """A gateway for one question: its form for who knows the secret, `hidden` for all others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer() -> None:
        taken, _ = listening.accept()
        with context.wrap_socket(taken, server_side=True) as channel:
            knows = channel.recv(65536).startswith(f"POST /?{SECRET} HTTP/1.1\r\n".encode())
            channel.sendall(SHOWN if knows else hidden)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("secret", "hidden", "found"),
    [
        (SECRET, HIDDEN, ("form", "")),
        ("", HIDDEN, ("hidden", reads.HIDES)),
        ("", REALM, ("hidden", reads.HIDES)),
        ("wrong", REALM, ("hidden", reads.HIDES_STILL)),
        ("", BANNED, ("banned", "HTTP/1.1 401 Cookie is not acceptable")),
    ],
)
def test_the_form_comes_with_the_secret_only(
    certificate: Path, secret: str, hidden: bytes, found: tuple[str, str]
) -> None:
    with hiding(certificate, hidden) as port:
        told = form(Wish("fra-gw-01", "127.0.0.1", port, 20.0, secret=secret), ca=str(certificate))
    assert (told["outcome"], told["why"]) == found


def test_openconnect_is_told_the_secret_by_a_pipe() -> None:
    assert tunnel._config(Wish("fra-gw-01", "127.0.0.1", 443, 20.0)) == ()
    (number,) = tunnel._config(Wish("fra-gw-01", "127.0.0.1", 443, 20.0, secret=SECRET))
    with os.fdopen(number) as told:
        assert told.read() == f"usergroup=?{SECRET}\n"


def test_the_gateways_own_probe_says_where_the_secret_is_missing() -> None:
    assert probe._path({"camouflage": "no", "camouflage_secret": SECRET}) == "/"
    assert probe._path({"camouflage": "TRUE", "camouflage_secret": SECRET}) == f"/?{SECRET}"
    with pytest.raises(probe.Unexpected, match="camouflage_secret is missing"):
        probe._path({"camouflage": "true"})
