"""What a machine needs to become a gateway, as one file: ocgate, its config.json, whom to trust, and our public key.

The same rows give the same bytes, so that the page can print the hash that the command on the machine checks.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.core import signing
from django.db import transaction

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet import sealed, sshca
from fleet.gateways.dial import public_line
from fleet.gateways.rows import SSH_KEY
from fleet.models import Gateway
from fleet.ocgate import config as ocgate_config
from fleet.ocgate.build import build as build_ocgate

TRUST: list[Callable[[str], Mapping[str, bytes]]] = []
"""Name of a gateway → files of its trust folder. The app that knows the signers adds the one that there is."""

FIRST: list[Callable[[Gateway], Mapping[str, bytes]]] = []
"""Gateway → files of the release that a machine without an ocserv begins with. The app that knows releases adds it."""

TICKET_SECONDS = 3600
_SALT = "handover.kit"


@dataclass(frozen=True)
class Kit:
    gateway: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def name(self) -> str:
        return f"handover-{self.gateway}.tar"


def prepared(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return config.json if a gateway could use it, by the reader of the gateway itself. Refused says what is wrong."""
    try:
        ocgate_config.parse(dict(raw))
    except (KeyError, ValueError, TypeError, AttributeError) as wrong:
        raise Refused(f"This is no configuration for ocgate: {wrong}.")
    return dict(raw)


def prepare(gateway: Gateway, raw: Mapping[str, Any], *, by: User, actor: Actor, now: datetime) -> None:
    """Keep the config.json that this gateway shall be installed with."""
    demand(by, gateway)
    config = prepared(raw)
    with transaction.atomic():
        Gateway.objects.filter(pk=gateway.pk).update(config=config)
        subject = f"gateway:{gateway.pk}"
        audit.append("gateway.prepared", subject=subject, actor=actor, at=now, details={"config": config})
    gateway.config = config


def kit_of(gateway: Gateway, *, adopt: bool = True) -> Kit:
    """The file for this gateway; with its first release where there is no ocserv to adopt.

    Refused until it is confirmed, prepared, and there is a key, a signer, and the release.
    """
    if gateway.state not in Gateway.SPOKEN_TO:
        raise Refused(f"{gateway.name} is not confirmed: a second person compares its host keys first.")
    if not gateway.config:
        raise Refused("Say first which addresses and slots it has.")
    secret = sealed.unseal_or_none(SSH_KEY)
    if secret is None:
        raise Refused("There is no SSH key to sign in with yet. Make one on the page Credentials.")
    files = {f"trust/{name}": data for source in TRUST for name, data in source(gateway.name).items()}
    if not adopt:
        files |= {f"first/{name}": data for source in FIRST for name, data in source(gateway).items()}
    files["ocgate"] = _ocgate()
    files["config.json"] = json.dumps(gateway.config, indent=2, sort_keys=True).encode() + b"\n"
    lines = [f"{public_line(secret)} handover"]
    if (ca := sealed.unseal_or_none(sshca.SSH_CA)) is not None:
        lines.append(f"{sshca.trusted_line(ca)} handover")
    files["key.pub"] = "".join(line + "\n" for line in lines).encode()
    return Kit(gateway.name, _packed(files))


def script(gateway: Gateway, kit: Kit, fetch: str, *, adopt: bool) -> str:
    """What root runs: a folder of its own, `fetch` the kit into it, check it, unpack it, install, clean up."""
    user, how = shlex.quote(gateway.ssh_user), " --adopt" if adopt else " --first first"
    return "; ".join(
        [
            'set -eu; umask 077; d=$(mktemp -d); trap \'rm -r "$d"\' EXIT; cd "$d"',
            fetch,
            f'echo "{kit.sha256}  {kit.name}" | sha256sum -c -; tar -xf {kit.name}',
            f'python3 ocgate install --user {user} --key "$(cat key.pub)" --config config.json --trust trust{how}',
        ]
    )


def command(gateway: Gateway, kit: Kit, *, url: str = "", adopt: bool) -> str:
    """The one command for the machine. With `url` it fetches the kit; without, somebody has put the kit into /root."""
    fetch = f"curl -fsSo {kit.name} {shlex.quote(url)}" if url else f"cp /root/{kit.name} ."
    return f"sudo sh -c {shlex.quote(script(gateway, kit, fetch, adopt=adopt))}"


def ticket(gateway: Gateway, kit: Kit, *, adopt: bool = True) -> str:
    """A word that opens this kit, and no other, for an hour, to whoever has it: there is no secret in a kit."""
    return signing.dumps([gateway.pk, kit.sha256, adopt], salt=_SALT)


def opened(word: str, *, actor: Actor, now: datetime) -> Kit:
    """The kit behind a ticket, on the record. Refused when the ticket is old, forged, or the kit is another by now."""
    try:
        pk, sha256, adopt = signing.loads(word, salt=_SALT, max_age=TICKET_SECONDS)
    except (signing.BadSignature, ValueError):  # the second: it was made before kits brought a release
        raise Refused("This address is not good any more. Take a new one from the gateway's page.")
    gateway = Gateway.objects.filter(pk=pk).first()
    kit = kit_of(gateway, adopt=adopt) if gateway else None
    if gateway is None or kit is None or kit.sha256 != sha256:
        raise Refused("What a gateway is installed with has changed since. Take a new address from its page.")
    with transaction.atomic():
        details = {"sha256": kit.sha256}
        audit.append("gateway.kit_taken", subject=f"gateway:{gateway.pk}", actor=actor, at=now, details=details)
    return kit


def demand(by: User, gateway: Gateway) -> None:
    """Refused without the right to enrol in its pool."""
    if not rights.may(by, "fleet.enrol_gateway", f"pool:{gateway.pool_id}"):
        raise Refused(f"You may not install gateways of {gateway.pool.name}: you lack the right “May enrol gateways”.")


@lru_cache(maxsize=1)
def _ocgate() -> bytes:
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        return build_ocgate(Path(folder) / "ocgate").read_bytes()


def _packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(files[name]), 0o755 if name == "ocgate" else 0o644
            archive.addfile(member, io.BytesIO(files[name]))
    return out.getvalue()
