"""Whose signature counts: the only writer of TrustedSigner, for the first set-up and for what two people agreed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor
from fleet.ocgate.policy import GROUP
from releases import authority, openpgp
from releases.models import TrustedSigner
from releases.signatures import Signer

Kind = TrustedSigner.Kind


@dataclass(frozen=True)
class Proposed:
    """A key or a CA that was read and is usable today; as the payload of a change, in full."""

    kind: str
    fingerprint: str
    label: str
    group: str
    public_key: str
    crl: str = ""


def known() -> list[Signer]:
    """Everybody whose signature counts or once counted, as values."""
    return [as_value(row) for row in TrustedSigner.objects.all()]


def as_value(row: TrustedSigner) -> Signer:
    return Signer(row.fingerprint, row.label, row.public_key, row.active, row.kind, row.crl, row.group)


def read(text: str, *, label: str, group: str = "release", crl: str = "", now: datetime) -> Proposed:
    """Read an armoured OpenPGP key, or a CA's certificates with its CRLs. Refused says what is wrong with them.

    What is known of the same key or CA already stays in: a revocation, a newer CRL.
    """
    if not label.strip() or len(label) > 120:
        raise Refused("Say whose it is, in at most 120 characters: people see the name, machines the fingerprint.")
    if not GROUP.fullmatch(group):
        raise Refused("A group is a word of small letters, digits and hyphens, like release.")
    if "CERTIFICATE-----" not in text:
        return _read_key(text, label=label.strip(), group=group, now=now)
    fingerprint, chain = authority.checked(text, now=now)
    old = TrustedSigner.objects.filter(fingerprint=fingerprint).first()
    if not crl.strip() and (old is None or not old.crl):
        raise Refused("A CA comes with its list of revoked certificates (CRL): without it nobody's signature counts.")
    lists = authority.newer(chain, _still_listed(old, chain), crl or (old.crl if old else ""), now=now)
    return Proposed(Kind.CA, fingerprint, label.strip(), group, chain, lists)


def is_known(proposed: Proposed) -> bool:
    """Whether exactly this is trusted already."""
    row = TrustedSigner.objects.filter(fingerprint=proposed.fingerprint, active=True).first()
    return row is not None and as_value(row) == Signer(active=True, **asdict(proposed))


def trust(proposed: Proposed, *, actor: Actor, now: datetime) -> TrustedSigner:
    """Count these signatures from now on; who is known is renewed, the same again changes nothing."""
    with transaction.atomic():
        old = TrustedSigner.objects.select_for_update().filter(fingerprint=proposed.fingerprint).first()
        # Read again: what was good when it was asked for may have expired, or been revoked, since.
        seen = read(proposed.public_key, label=proposed.label, group=proposed.group, crl=proposed.crl, now=now)
        if seen.fingerprint != proposed.fingerprint or seen.kind != proposed.kind:
            raise Refused("The key is not the one that was asked for. Ask again.")
        signer = old or TrustedSigner(fingerprint=seen.fingerprint, kind=seen.kind, added_at=now)
        wanted = {
            "label": seen.label,
            "group": seen.group,
            "public_key": seen.public_key,
            "crl": seen.crl,
            "active": True,
        }
        if all(getattr(signer, name) == value for name, value in wanted.items()):
            return signer
        for name, value in wanted.items():
            setattr(signer, name, value)
        signer.save()
        _record("signer.renewed" if old else "signer.trusted", signer, actor=actor, now=now)
        return signer


def distrust(signer: TrustedSigner, *, reason: str, actor: Actor, now: datetime) -> TrustedSigner:
    """Count these signatures no more, those on kept releases too. Nothing happens the second time."""
    if not reason.strip():
        raise Refused("Say why the signer is not trusted any more.")
    with transaction.atomic():
        if TrustedSigner.objects.filter(pk=signer.pk, active=True).update(active=False):
            _record("signer.distrusted", signer, actor=actor, now=now, reason=reason)
        return TrustedSigner.objects.get(pk=signer.pk)


def take_crl(signer: TrustedSigner, crl: str, *, actor: Actor, now: datetime) -> bool:
    """Take a newer list of revoked certificates that the CA signed; return whether it was news."""
    if signer.kind != Kind.CA:
        raise Refused(f"{signer.label} is a person's key; only a CA has a list of revoked certificates.")
    with transaction.atomic():
        row = TrustedSigner.objects.select_for_update().get(pk=signer.pk)
        lists = authority.newer(row.public_key, row.crl, crl, now=now)
        if lists == row.crl:
            return False
        row.crl = lists
        row.save(update_fields=["crl"])
        count = sum(len(one) for one in authority.lists(lists))
        _record("signer.crl_taken", row, actor=actor, now=now, revoked=count)
        return True


def _read_key(text: str, *, label: str, group: str, now: datetime) -> Proposed:
    fingerprint, key = openpgp.public_key(text, now=now)
    old = TrustedSigner.objects.filter(fingerprint=fingerprint).first()
    if old is not None:
        # A revocation that we know of is not undone by a text without it.
        fingerprint, key = openpgp.public_key(openpgp.renewed(old.public_key, key), now=now)
    return Proposed(Kind.OPENPGP, fingerprint, label, group, key)


def _still_listed(old: TrustedSigner | None, chain: str) -> str:
    """The lists kept so far, of those certificates that are still in the chain."""
    if old is None or not old.crl:
        return ""
    names = {one.subject for one in authority.certificates(chain)}
    return "".join(authority.pem(one) for one in authority.lists(old.crl) if one.issuer in names)


def _record(verb: str, signer: TrustedSigner, *, actor: Actor, now: datetime, reason: str = "", **more: Any) -> None:
    details = {"fingerprint": signer.fingerprint, "label": signer.label, "group": signer.group, **more}
    audit.append(verb, subject=f"signer:{signer.pk}", actor=actor, at=now, reason=reason, details=details)
