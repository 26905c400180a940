"""Who signed SHA256SUMS, and does it count? Pure: bytes and keys in, people out, Refused otherwise.

OpenPGP (.asc) or CMS under a company CA (.p7s), both detached and over the exact bytes. Every signature that comes
with a release must be good; then enough *different* people must have signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from approvals.errors import Refused
from releases import cms, openpgp
from releases.signatures import Signed, Signer


def verified(
    sums: bytes, signatures: Mapping[str, bytes], *, signers: Sequence[Signer], threshold: int, now: datetime
) -> list[Signed]:
    """Return one entry per signer of `sums`; at least `threshold` of them. `signatures` is file name → bytes.

    Refused when a signature is bad, weak, or by somebody who is not trusted now, and when there are too few.
    """
    if threshold < 1:
        raise Refused(f"The threshold of signers is {threshold}, so nothing can be trusted. Set it to 1 or more.")
    good: dict[str, Signed] = {}
    for name in sorted(signatures):
        for signed in in_file(name, signatures[name], sums, signers=signers, now=now):
            good.setdefault(signed.identity, signed)
    if len(good) < threshold:
        raise Refused(
            f"The release has signatures of {len(good)} trusted signers, but needs {threshold}. "
            "Have it signed by more of them."
        )
    return list(good.values())


def in_file(name: str, data: bytes, sums: bytes, *, signers: Sequence[Signer], now: datetime) -> list[Signed]:
    """Return who signed `sums` in one file; Refused when anything in it is not good."""
    if name.endswith(".p7s"):
        authorities = [signer for signer in signers if signer.kind == "ca"]
        return [cms.verified(name, data, sums, authorities=authorities, now=now)]
    people = [signer for signer in signers if signer.kind == "openpgp"]
    return openpgp.verified(name, data, sums, signers=people, now=now)


def text(name: str, data: bytes) -> str:
    """Return a good signature's file as the text that is kept and sent to gateways."""
    return cms.text(name, data) if name.endswith(".p7s") else data.decode("ascii")
