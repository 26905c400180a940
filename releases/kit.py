"""What a new gateway pins at its enrolment: who may sign releases, and who may approve. Registered with fleet.kit."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.utils import timezone
from pysequoia import Cert

from approvals.errors import Refused
from fleet import kit
from fleet.errors import RetryLater
from fleet.models import Gateway
from fleet.ocgate.stage import BUNDLE
from releases import services, signers, statements
from releases.models import ChannelPolicy, Release, TrustedSigner, TrustStatement

FIRST_MOST = 64 * 1024 * 1024  # bytes of a bundle; a kit is held in memory


def pinned(gateway: str) -> dict[str, bytes]:
    """The files of /etc/ocgate/trust for a gateway of that name. Refused while no signer is trusted."""
    active = [signer for signer in signers.known() if signer.active]
    keys = [signer for signer in active if signer.kind == TrustedSigner.Kind.OPENPGP]
    cas = [signer for signer in active if signer.kind == TrustedSigner.Kind.CA]
    threshold = _threshold()
    if len(active) < threshold:
        say = f"{len(active)} signers are trusted and a release needs {threshold}"
        raise Refused(f"{say}: a gateway that is enrolled now could never take one. Add signers first.")
    files: dict[str, bytes] = {"openpgp.gpg": b"".join(bytes(Cert.from_bytes(key.public_key.encode())) for key in keys)}
    for number, ca in enumerate(cas, 1):
        files |= {f"ca-{number}.pem": ca.public_key.encode(), f"ca-{number}.crl": ca.crl.encode()}
    policy: dict[str, Any] = {
        "format": 2,
        "serial": TrustStatement.objects.values_list("serial", flat=True).first() or 0,
        "gateway": gateway,
        "threshold": threshold,
        "group": "",
        "openpgp": [{"fingerprint": key.fingerprint, "group": key.group} for key in keys],
        "cas": [
            {"file": f"ca-{number}.pem", "crl": f"ca-{number}.crl", "group": ca.group}
            for number, ca in enumerate(cas, 1)
        ],
        "approvers": statements.approvers(),
    }
    files["policy.json"] = json.dumps(policy, indent=2, sort_keys=True).encode() + b"\n"
    return files


def _threshold() -> int:
    least = ChannelPolicy.objects.order_by("threshold").values_list("threshold", flat=True).first() or 1
    return max(1, settings.RELEASE_THRESHOLD, least)


def first(gateway: Gateway) -> dict[str, bytes]:
    """The newest release that may go to the gateway's pool, as the folder that `ocgate install --first` takes."""
    now = timezone.now()
    ready = Release.objects.filter(state=Release.State.READY).order_by("-counter")
    newest = next((row for row in ready if not services.why_not_for(row, gateway.pool, now)), None)
    if newest is None:
        say = f"No release may go to {gateway.pool.name} (channel {gateway.pool.channel}) yet"
        raise Refused(f"{say}, so there is nothing to begin with. Add one, and pass it on.")
    if newest.size > FIRST_MOST:
        raise Refused(
            f"{newest.name} has {newest.size:,} bytes, too many for a kit. Bring its files there and install by hand: "
            "python3 ocgate install … --first FOLDER"
        )
    try:
        files = services.files(newest, now=now)
    except RetryLater as later:
        raise Refused(later.say)
    texts = {"manifest.json": files.manifest, "SHA256SUMS": files.sums, "CHANGELOG.md": files.changelog}
    signed = {name: text.encode() for name, text in files.signatures}
    return {**{name: text.encode() for name, text in texts.items()}, **signed, BUNDLE: files.bundle.read_bytes()}


kit.TRUST.append(pinned)
kit.FIRST.append(first)
