"""What a new gateway pins at its enrolment: who may sign releases, and who may approve. Registered with fleet.kit."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from pysequoia import Cert

from approvals.errors import Refused
from fleet import kit
from releases import signers, statements
from releases.models import ChannelPolicy, TrustedSigner, TrustStatement


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


kit.TRUST.append(pinned)
