"""What gateways still have to be told about who may sign: the kinds `trust` and `crl` of fleet.errands."""

from __future__ import annotations

from fleet import errands, ports
from fleet.errors import GiveUp
from releases.models import TrustedSigner, TrustStatement


def trust(job: errands.Job, gateway: ports.Gateway) -> str:
    """Hand over a trust statement with its signatures; the gateway judges them by whom it trusts until now."""
    row = TrustStatement.objects.filter(pk=job.args["statement"]).first()
    if row is None:
        raise GiveUp("The trust statement is gone. Draw a new one at Signers.", code="statement_gone")
    signatures = [(signature["name"], signature["text"]) for signature in row.signatures]
    pinned = gateway.trust(row.text, signatures, fence=job.fence)
    job.agreed("trust", pinned.sha256)
    return f"{job.gateway.name} {'trusted so already' if pinned.already else 'trusts so now'}: serial {pinned.serial}."


def crl(job: errands.Job, gateway: ports.Gateway) -> str:
    """Hand over a CA's list of revoked certificates, as it is now."""
    row = TrustedSigner.objects.filter(pk=job.args["signer"]).first()
    if row is None or not row.crl:
        raise GiveUp("The CA's list of revoked certificates is gone. Upload one at Signers.", code="crl_gone")
    pinned = gateway.crl(row.crl, fence=job.fence)
    job.agreed("trust", pinned.sha256)
    return f"{job.gateway.name} {'had the list already' if pinned.already else 'has the newer list'} of {row.label}."
