"""Trust statements: what gateways are to trust, signed offline by those whom they trust until now, then sent to all.

The only writer of TrustStatement. The controller holds none of the keys: a taken controller can draw a statement, and
no gateway believes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor
from approvals.statement import NEEDED, named
from fleet import errands
from fleet.models import Gateway
from fleet.ocgate.statement import canonical, drafted
from fleet.phrases import count
from releases import authority, openpgp, signers, trust
from releases.models import ChannelPolicy, TrustStatement
from releases.signatures import Signed, Signer

State = TrustStatement.State
GOOD_FOR = timedelta(days=90)
_NOT_OURS = (Gateway.State.LEFT, Gateway.State.PROPOSED)
_ABOUT = ("serial", "made", "expires")  # differ between two statements that say the same


def draw(*, before: Sequence[Signer], actor: Actor, now: datetime) -> TrustStatement | None:
    """Write down what gateways are to trust now; None when that is what they were last told, or none trusts anybody.

    `before`: who was trusted until this moment; asked only while no statement was drawn yet. Inside a transaction.
    """
    old = _old(before)
    serial = (TrustStatement.objects.aggregate(last=Max("serial"))["last"] or 0) + 1
    said, last = _content(serial, now=now), TrustStatement.objects.exclude(state=State.REPLACED).first()
    if not old["signers"] or not said["openpgp"] + said["cas"] or (last and _same(json.loads(last.text), said)):
        return None
    TrustStatement.objects.filter(state=State.WAITING).update(state=State.REPLACED)
    text = canonical(said)
    drawn = TrustStatement.objects.create(serial=serial, text=text, old=old, drawn_at=now, expires_at=now + GOOD_FOR)
    details = {"signers": len(said["openpgp"]) + len(said["cas"]), "needs": old["threshold"]}
    audit.append("trust.drawn", subject=f"trust:{serial}", actor=actor, at=now, details=details)
    return drawn


def sign(statement: TrustStatement, data: bytes, *, kind: str, actor: Actor, now: datetime) -> TrustStatement:
    """Add one signature file ("asc" or "p7s"); the one that completes the threshold sends it to every gateway."""
    with transaction.atomic():
        row = TrustStatement.objects.select_for_update().get(pk=statement.pk)
        if row.state != State.WAITING or row.expires_at <= now:
            raise Refused(f"The trust statement {row.serial} takes no signature any more. Look at the newest one.")
        name = f"trust-{row.serial}.{len(row.signatures) + 1}.{kind}"
        found = _verified(name, data, row, now=now)
        have = {signature["identity"] for signature in row.signatures}
        if not {signed.identity for signed in found} - have:
            return row
        text = trust.text(name, data)
        row.signatures = [*row.signatures, {"name": name, "text": text, "identity": found[0].identity}]
        have |= {signed.identity for signed in found}
        details = {"by": sorted(signed.identity for signed in found), "needs": row.old["threshold"], "have": len(have)}
        if len(have) >= row.old["threshold"]:
            row.state, row.sent_at = State.SENT, now
            errands.send(_gateways(), "trust", subject=subject(row), args={"statement": row.pk}, now=now, actor=actor)
        row.save()
        audit.append("trust.signed", subject=subject(row), actor=actor, at=now, details=details)
        return row


def older(statement: TrustStatement) -> list[Gateway]:
    """Gateways that said themselves that they trust an older serial, and that nothing is on its way to."""
    asked = errands.behind(subject(statement)).values("gateway")
    rows = Gateway.objects.filter(inventory__trust__serial__lt=statement.serial).exclude(pk__in=asked)
    return list(rows.exclude(state__in=_NOT_OURS).order_by("name"))


def send_again(statement: TrustStatement, *, actor: Actor, now: datetime) -> int:
    """Send it to those that trust an older one and were not asked; return to how many."""
    with transaction.atomic():
        if statement.state != State.SENT:
            raise Refused(f"The trust statement {statement.serial} was not sent yet: it waits for signatures.")
        about, args = subject(statement), {"statement": statement.pk}
        return errands.send(older(statement), "trust", subject=about, args=args, now=now, actor=actor)


def why_not_rotate() -> str:
    """Why a signer had better not be struck off now; "" when every gateway knows the others."""
    last = TrustStatement.objects.exclude(state=State.REPLACED).first()
    if last is None:
        return ""
    if last.state == State.WAITING:
        return f"The trust statement {last.serial} still waits for signatures: have it signed and followed first."
    left = errands.behind(subject(last)).count() + len(older(last))
    has = "has" if left == 1 else "have"
    return f"{count(left, 'gateway')} {has} not followed trust statement {last.serial} yet." if left else ""


def subject(statement: TrustStatement) -> str:
    return f"trust:{statement.serial}"


def send_crl(signer_id: int, *, actor: Actor, now: datetime) -> int:
    """Send a CA's newer list of revoked certificates to every gateway; return to how many. Inside a transaction."""
    about = crl_subject(signer_id)
    return errands.send(_gateways(), "crl", subject=about, args={"signer": signer_id}, now=now, actor=actor)


def crl_subject(signer_id: int) -> str:
    return f"crl:{signer_id}"


def needs(statement: TrustStatement) -> list[Signer]:
    """Who may sign it: those whom the gateways trust until then."""
    return [Signer(**values) for values in statement.old["signers"]]


def approvers() -> dict[str, Any]:
    """Whose word gateways are to take for what only people may say, and how many of them it takes.

    Fewer people than it takes are none: gateways refuse such a policy, and nobody may be enough instead of two. A
    second key of one person says so.
    """
    wanted, keys = max(1, settings.APPROVERS_NEEDED), named()
    rows = [
        {"name": name, "key": key.public_key, **({"person": person} if (person := key.user.username) != name else {})}
        for name, key in keys.items()
    ]
    return {"needed": wanted, "keys": rows if len({key.user_id for key in keys.values()}) >= wanted else []}


def approvers_needed() -> int:
    """How many approvers gateways ask for: as they were last told, or as they are installed."""
    sent = TrustStatement.objects.filter(state=State.SENT).first()
    return int(json.loads(sent.text)["approvers"]["needed"]) if sent else max(1, settings.APPROVERS_NEEDED)


NEEDED.append(approvers_needed)


def _verified(name: str, data: bytes, row: TrustStatement, *, now: datetime) -> list[Signed]:
    group = row.old["group"]
    try:
        found = trust.in_file(name, data, row.text.encode(), signers=needs(row), now=now)
    except Refused as no:
        raise Refused(no.say.replace("SHA256SUMS:", "the statement:").replace("SHA256SUMS", "the statement"))
    if strange := [signed for signed in found if group and signed.group != group]:
        raise Refused(f"{strange[0].identity} is of the group {strange[0].group}; the gateways listen to {group} only.")
    return found


def _content(serial: int, *, now: datetime) -> dict[str, Any]:
    active = [signer for signer in signers.known() if signer.active]
    least = ChannelPolicy.objects.order_by("threshold").values_list("threshold", flat=True).first() or 1
    return {
        **drafted("trust", "*", made=now, lasts=GOOD_FOR),
        "serial": serial,
        # Any gateway may serve any channel, so each asks for what every channel asks; the channels' own come on top.
        "threshold": max(1, settings.RELEASE_THRESHOLD, least),
        "group": "",
        "openpgp": [{"group": one.group, "key": one.public_key} for one in active if one.kind == "openpgp"],
        "cas": [{"group": one.group, "pem": one.public_key, "crl": one.crl} for one in active if one.kind == "ca"],
        "approvers": approvers(),
    }


def _old(before: Sequence[Signer]) -> dict[str, Any]:
    """Whom the gateways trust until now: as they were last told, or as they were installed."""
    sent = TrustStatement.objects.filter(state=State.SENT).first()
    if sent is None:
        if first := TrustStatement.objects.order_by("serial").first():
            return dict(first.old)
        active = [asdict(signer) for signer in before if signer.active]
        return {"threshold": max(1, settings.RELEASE_THRESHOLD), "group": "", "signers": active}
    said = json.loads(sent.text)
    told = {openpgp.fingerprint(row["key"]) for row in said["openpgp"]}
    told |= {authority.fingerprint(authority.certificates(row["pem"])[0]) for row in said["cas"]}
    old = [asdict(signer) | {"active": True} for signer in signers.known() if signer.fingerprint in told]
    return {"threshold": said["threshold"], "group": said["group"], "signers": old}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return {**one, **dict.fromkeys(_ABOUT)} == {**other, **dict.fromkeys(_ABOUT)}


def _gateways() -> list[Gateway]:
    return list(Gateway.objects.exclude(state__in=_NOT_OURS))
