"""Open an SSH connection to a gateway whose host keys are pinned. Nothing is trusted on first use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import paramiko

from fleet.errors import GiveUp, RetryLater

CONNECT_SECONDS = 5.0
NEGOTIATE_SECONDS = 8.0
AUTH_SECONDS = 10.0

# What ssh-audit has no fault with. Everything else that paramiko knows is switched off, also what it learns later.
STRONG = {
    "ciphers": ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr"),
    "macs": ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"),
    "kex": ("mlkem768x25519-sha256", "curve25519-sha256@libssh.org", "diffie-hellman-group16-sha512"),
    "keys": ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"),
    "pubkeys": ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"),
}
HOST_KEY_TYPES = {"ssh-ed25519": ("ssh-ed25519",), "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""Kind of a pinned key → the algorithms that are offered for it."""


@dataclass(frozen=True)
class Target:
    """Where a gateway is and who it must be."""

    name: str
    address: str
    port: int
    user: str
    host_keys: tuple[tuple[str, str], ...]  # (kind, base64)


class HostKeyChanged(GiveUp):
    """The machine at the gateway's address is not the one that was enrolled, or has new keys. A person must look."""

    def __init__(self, say: str, *, shown: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(say, code="host_key_changed")
        self.shown = shown  # (kind, base64) of what it showed


class ConnectionLost(RetryLater):
    """A connection that stood is gone; a new one may do."""

    def __init__(self, say: str) -> None:
        super().__init__(say, code="connection_lost")


def dial(target: Target, key: paramiko.PKey) -> paramiko.Transport:
    """Connect, check the host key, authenticate. RetryLater: nobody answers; GiveUp: the answer is no."""
    transport = reached(target)
    try:
        _authenticate(transport, target, key)
    except BaseException:
        transport.close()
        raise
    return transport


def reached(target: Target) -> paramiko.Transport:
    """Connect and check the host key; nobody is signed in yet."""
    kinds = offered(target)
    transport = paramiko.Transport(connect(target), disabled_algorithms=weak())
    transport.daemon = True
    transport.banner_timeout = transport.handshake_timeout = NEGOTIATE_SECONDS
    transport.auth_timeout = AUTH_SECONDS
    transport.channel_timeout = NEGOTIATE_SECONDS
    try:
        transport.get_security_options().key_types = kinds
        negotiate(transport, target)
        check_host_key(target, transport.get_remote_server_key())
    except BaseException:
        transport.close()
        raise
    return transport


def weak() -> dict[str, list[str]]:
    """Return what paramiko prefers and we do not, as its `disabled_algorithms`."""
    preferred = {kind: getattr(paramiko.Transport, f"_preferred_{kind}") for kind in STRONG}
    return {kind: [name for name in names if name not in STRONG[kind]] for kind, names in preferred.items()}


def offered(target: Target) -> list[str]:
    """Return the host key algorithms to offer: those of the pinned keys only, else another key could be shown."""
    pinned = {kind for kind, _ in target.host_keys}
    found = [name for kind, names in HOST_KEY_TYPES.items() if kind in pinned for name in names]
    if not found:
        raise GiveUp(
            f"{target.name} has no pinned host key of a kind that is used ({', '.join(HOST_KEY_TYPES)}). Pin one.",
            code="no_host_key",
        )
    return found


def check_host_key(target: Target, shown: paramiko.PKey) -> None:
    """Raise HostKeyChanged unless the shown key is the pinned one of its kind."""
    pinned = dict(target.host_keys).get(shown.get_name(), "")
    if not hmac.compare_digest(pinned.encode(), shown.get_base64().encode()):
        raise HostKeyChanged(
            f"{target.name} shows the {shown.get_name()} host key {fingerprint(shown.asbytes())}, pinned is"
            f" {fingerprint_of(pinned)}. Nothing was sent to it. Compare the fingerprint on the machine's console:"
            " the gateway's page shows both, and a second person can confirm the new one.",
            shown=((shown.get_name(), shown.get_base64()),),
        )


def fingerprint(key: bytes) -> str:
    """Return a public key's fingerprint as `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def fingerprint_of(text: str) -> str:
    """Return the fingerprint of a base64 key, or "none"."""
    try:
        return fingerprint(base64.b64decode(text, validate=True)) if text else "none"
    except binascii.Error:
        return "unreadable"


def public_line(secret: bytes) -> str:
    """The "ssh-ed25519 AAAA…" of a private key, as an authorized_keys file has it."""
    key = private_key(secret)
    return f"{key.get_name()} {key.get_base64()}"


def private_key(secret: bytes, *, name: str = 'The credential "ssh-key"') -> paramiko.PKey:
    """Read an OpenSSH or PEM private key (Ed25519 or RSA) without a passphrase. Never touches the disk."""
    kinds: Iterable[type[paramiko.PKey]] = (paramiko.Ed25519Key, paramiko.RSAKey)
    for kind in kinds:
        try:
            return kind.from_private_key(io.StringIO(secret.decode()))
        except (paramiko.SSHException, ValueError):
            continue
    # Neither the text nor the library's reason is shown: both may hold parts of the secret.
    raise GiveUp(f"{name} is no Ed25519 or RSA private key without a passphrase.", code="no_ssh_key")


def connect(target: Target) -> socket.socket:
    """Open the TCP connection, with limits on how long a send may hang."""
    where = f"{target.address}:{target.port}"
    try:
        sock = socket.create_connection((target.address, target.port), timeout=CONNECT_SECONDS)
    except socket.gaierror as unknown:
        raise RetryLater(
            f"{target.name}: the name {target.address} can't be resolved.", code="unreachable"
        ) from unknown
    except TimeoutError as late:
        say = f"{target.name} did not answer at {where} within {CONNECT_SECONDS:g} s."
        raise RetryLater(say, code="unreachable") from late
    except OSError as closed:
        raise RetryLater(f"{target.name} at {where}: {closed.strerror or closed}.", code="unreachable") from closed
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Data that nobody acknowledges ends the connection, so that a send can't block for ever.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 15_000)
    # A bundle on its way may not fill the send queue: a rollback's request would wait behind it.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 131_072)
    return sock


def negotiate(transport: paramiko.Transport, target: Target) -> None:
    """Agree on algorithms and learn the host key; nothing is sent that tells who we are."""
    try:
        transport.start_client(timeout=NEGOTIATE_SECONDS)
    except paramiko.ssh_exception.IncompatiblePeer as other:
        if "host key" in str(other):
            kinds = ", ".join(kind for kind, _ in target.host_keys)
            raise HostKeyChanged(
                f"{target.name} no longer shows a host key of the kinds that are pinned ({kinds}). Nothing was sent to"
                " it. Compare its keys on its console; a second person can confirm them on the gateway's page."
            ) from other
        raise GiveUp(f"{target.name} offers only weak SSH algorithms: {other}.", code="weak_ssh") from other
    except (paramiko.SSHException, EOFError, OSError) as broken:
        say = f"{target.name} did not complete the SSH handshake: {_why(broken)}."
        raise RetryLater(say, code="unreachable") from broken
    if not transport.initial_kex_done:
        # start_client returns without a word when its time is over.
        raise RetryLater(f"{target.name} froze during the SSH handshake.", code="unreachable")


def _authenticate(transport: paramiko.Transport, target: Target, key: paramiko.PKey) -> None:
    try:
        transport.auth_publickey(target.user, key)
    except paramiko.AuthenticationException as refused:
        if "imeout" in str(refused) or not transport.is_active():
            say = f"{target.name} did not answer the sign-in as {target.user}."
            raise RetryLater(say, code="unreachable") from refused
        raise GiveUp(
            f"{target.name} does not accept our SSH key for {target.user}. Put the key into its authorized_keys.",
            code="auth_refused",
        ) from refused
    except (paramiko.SSHException, EOFError, OSError) as broken:
        say = f"{target.name} broke off the SSH sign-in: {_why(broken)}."
        raise RetryLater(say, code="unreachable") from broken


def _why(broken: BaseException) -> str:
    return (str(broken) or type(broken).__name__).rstrip(".")[:200]
