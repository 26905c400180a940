"""People's own SSH keys for statements that gateways check: proposed by their owner, confirmed by another, retired.

A key counts on a gateway only once it is pinned there, by a trust statement that the old signers sign.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime

from django.db import IntegrityError, transaction

from approvals import audit, changes, rights, statement
from approvals.errors import Refused
from approvals.models import Actor, ApproverKey, Request, User

KIND = "approver.key"
PROPOSE, DECIDE = "approvals.add_approverkey", "approvals.change_approverkey"
TYPES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def propose(line: str, *, by: User, actor: Actor, now: datetime) -> Request:
    """Ask that this public key may sign statements in the name of `by`. Refused when it is no usable public key."""
    key, shown = parsed(line)
    if known := ApproverKey.objects.select_related("user").filter(fingerprint=shown).first():
        state = "is" if known.active else "was"
        raise Refused(f"The key {shown} {state} {known.user.username}'s already. Make a new one: ssh-keygen -t ed25519")
    if why := statement.why_not_named(by):
        raise Refused(why)
    return changes.propose(
        KIND,
        by=by,
        actor=actor,
        now=now,
        subject=f"approver-key:{shown}",
        payload={"user": by.pk, "key": key, "fingerprint": shown},
        title=f"Let {by.username} sign statements with a new key",
        lines=[
            f"Its fingerprint is {shown}.",
            f"Compare it with {by.username} by voice or face to face; ssh-keygen -lf FILE shows it.",
            "The key counts on a gateway once it is pinned there by a trust statement.",
        ],
    )


def retire(key: ApproverKey, *, by: User, actor: Actor, now: datetime) -> None:
    """Take a key's word away here: one's own, or anybody's for those who confirm keys. Nothing the second time."""
    if key.user_id != by.pk and not rights.may(by, DECIDE, rights.EVERYTHING):
        raise Refused(f"The key is {key.user.username}'s. Ask him, or somebody with the right {DECIDE}.")
    with transaction.atomic():
        if ApproverKey.objects.filter(pk=key.pk, active=True).update(active=False):
            details = {"fingerprint": key.fingerprint, "of": key.user.username}
            audit.append("approver_key.retired", subject=f"user:{key.user_id}", actor=actor, at=now, details=details)


def parsed(line: str) -> tuple[str, str]:
    """Return ("type base64", "SHA256:…") of one public key line. Refused, with the sentence, for anything else."""
    words = line.split()
    if "PRIVATE KEY" in line:
        raise Refused("This is a private key. Keep it away from here; give the .pub file beside it.")
    if len(words) < 2 or words[0] not in TYPES:
        raise Refused(
            f"This is no public key that may sign statements; its first word must be one of {', '.join(TYPES)}."
        )
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        blob = b""
    kind = words[0].encode()
    if blob[: 4 + len(kind)] != len(kind).to_bytes(4, "big") + kind:
        raise Refused("This public key is damaged: its text does not say what its first word says.")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"{words[0]} {words[1]}", f"SHA256:{digest}"


def _apply(applied: changes.Applied) -> None:
    key, shown = parsed(str(applied.payload["key"]))
    user = User.objects.get(pk=applied.payload["user"])
    if why := statement.why_not_named(user):
        raise Refused(why)
    try:
        with transaction.atomic():
            ApproverKey.objects.create(user=user, public_key=key, fingerprint=shown, added_at=applied.now)
    except IntegrityError:
        raise Refused(f"The key {shown} is somebody's already.")
    details = {"fingerprint": shown, "of": user.username}
    subject = f"user:{user.pk}"
    audit.append("approver_key.confirmed", subject=subject, actor=applied.actor, at=applied.now, details=details)


changes.KINDS[KIND] = changes.Change(PROPOSE, DECIDE, _apply)
