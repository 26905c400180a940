"""What gateways still have to be told about who may sign: the kinds `trust` and `crl` of fleet.errands."""

from __future__ import annotations

from fleet import errands, ports
from fleet.errors import GiveUp
from fleet.models import Gateway
from releases.models import TrustedSigner, TrustStatement


def trust(job: errands.Job, gateway: ports.Gateway) -> str:
    """Hand over a trust statement with its signatures; the gateway judges them by whom it trusts until now.

    One that slept through earlier statements gets those first: it may not know the signers of this one yet.
    """
    last = TrustStatement.objects.filter(pk=job.args["statement"]).first()
    if last is None:
        raise GiveUp("The trust statement is gone. Draw a new one at Signers.", code="statement_gone")
    say = f"{job.gateway.name} trusts statement {last.serial} or a later one already."
    sent = TrustStatement.objects.filter(state=TrustStatement.State.SENT, serial__lte=last.serial)
    # The last one in any case: what the gateway says to it is what is agreed from then on.
    for row in sent.filter(serial__gt=min(_pinned(job.gateway), last.serial - 1)).order_by("serial"):
        signatures = [(signature["name"], signature["text"]) for signature in row.signatures]
        try:
            pinned = gateway.trust(row.text, signatures, fence=job.fence)
        except GiveUp as no:
            if no.code != "trust_old":
                _followed_before(job, gateway, row, no)
        else:
            job.agreed("trust", pinned.sha256)
            how = "trusted so already" if pinned.already else "trusts so now"
            say = f"{job.gateway.name} {how}: serial {pinned.serial}."
    return say


def _followed_before(job: errands.Job, gateway: ports.Gateway, row: TrustStatement, no: GiveUp) -> None:
    """Raise unless the gateway has taken it: when our worker ended too early, its signer may be struck off by now."""
    there = gateway.inventory().trust
    if there.serial < row.serial:
        raise no
    if there.serial == row.serial:
        job.agreed("trust", there.sha256)


def crl(job: errands.Job, gateway: ports.Gateway) -> str:
    """Hand over a CA's list of revoked certificates, as it is now."""
    row = TrustedSigner.objects.filter(pk=job.args["signer"]).first()
    if row is None or not row.crl:
        raise GiveUp("The CA's list of revoked certificates is gone. Upload one at Signers.", code="crl_gone")
    pinned = gateway.crl(row.crl, fence=job.fence)
    job.agreed("trust", pinned.sha256)
    return f"{job.gateway.name} {'had the list already' if pinned.already else 'has the newer list'} of {row.label}."


def _pinned(row: Gateway) -> int:
    """The serial that the gateway has pinned, as it last said; 0 when it never did."""
    trusted = row.inventory.get("trust")
    said = (row.facts.get("trust_serial"), trusted.get("serial") if isinstance(trusted, dict) else 0)
    return max((serial for serial in said if isinstance(serial, int)), default=0)
