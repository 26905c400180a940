"""The operator's ocserv.conf as revisions: proposed, judged, agreed by one person or by two, signed by approvers.

The only writer of ConfigRevision. The text may hold secrets, so it lies sealed; what is shown and stored is masked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max

from approvals import audit, changes, rights, statement
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet import sealed
from fleet.models import Gateway, Pool
from fleet.ocgate import allow, mask, oddlines
from fleet.ocgate.findings import Finding
from fleet.ocgate.schema import CONF_MAX
from fleet.ocgate.statement import canonical, drafted
from fleet.phrases import listed
from fleet.ports import Statement
from releases import confdiff
from releases.models import ConfigRevision

KIND = "config.agree"
PROPOSE, APPROVE = "fleet.propose_config", "fleet.approve_config"
GOOD_FOR = timedelta(days=90)  # of the statement that approvers sign
State = ConfigRevision.State


@dataclass(frozen=True)
class Place:
    """Where a configuration belongs: a pool, or one gateway of it."""

    pool: Pool
    gateway: Gateway | None = None

    def __str__(self) -> str:
        return self.gateway.name if self.gateway else self.pool.name


def propose(place: Place, text: str, *, note: str, by: User, actor: Actor, now: datetime) -> ConfigRevision:
    """Store a revision and judge it. What one person may change is agreed at once, all else waits for a second."""
    if not rights.may(by, PROPOSE, f"pool:{place.pool.pk}"):
        raise Refused(f"You may not propose a configuration for {place}: you lack the right {PROPOSE} on its pool.")
    sha256 = digest(text)
    base = agreed_for(place)
    _refuse_unusable(text, sha256, place, base)
    old = text_of(base) if base else text
    beyond = allow.beyond(old, text)
    with transaction.atomic():
        # One at a time in a pool: the number is the next one, and what it was compared with is still the agreed one.
        Pool.objects.select_for_update().get(pk=place.pool.pk)
        if agreed_for(place) != base:
            raise Refused(f"Another configuration of {place} was agreed just now. Look at it and propose yours again.")
        number = (place.pool.configs.aggregate(last=Max("number"))["last"] or 0) + 1
        row = ConfigRevision.objects.create(
            pool=place.pool,
            gateway=place.gateway,
            number=number,
            sha256=sha256,
            masked=mask.text(text),
            note=note,
            statement=_statement(place, sha256, now=now) if beyond else "",
            made_by=by,
            made_at=now,
        )
        sealed.seal(_name(row), text.encode(), now=now)
        details = {"number": number, "sha256": sha256, "of": str(place), "beyond": beyond}
        audit.append("config.proposed", subject=subject(row), actor=actor, at=now, reason=note, details=details)
        if beyond:
            _ask(row, base, text, by=by, actor=actor, now=now)
        else:
            why = "As it is on the gateway." if base is None else "Only what one person may change."
            _move(row, State.AGREED, why, actor=actor, now=now)
    return row


def agreed_for(place: Place) -> ConfigRevision | None:
    """The newest agreed revision of the gateway, or else of its pool."""
    rows = ConfigRevision.objects.filter(pool=place.pool, state=State.AGREED).order_by("-number")
    own = rows.filter(gateway=place.gateway).first() if place.gateway else None
    return own or rows.filter(gateway__isnull=True).first()


def text_of(row: ConfigRevision) -> str:
    """The whole text, unsealed. Refused when what was sealed is not what the row says."""
    try:
        data = sealed.unseal_or_none(_name(row))
    except sealed.Unreadable as unreadable:
        raise Refused(str(unreadable))
    if data is None or hashlib.sha256(data).hexdigest() != row.sha256:
        raise Refused(f"Configuration {row.number} of {row.pool.name} is not what was stored. Propose it again.")
    return data.decode()


def diff(row: ConfigRevision) -> str:
    """Unified, secrets masked, against what was agreed before it; the whole text for the first one."""
    return confdiff.between(_before(row), text_of(row))


def findings(row: ConfigRevision) -> dict[str, list[Finding]]:
    """ocserv version → what it makes of the text: each version that serves in the pool, and each release's."""
    return confdiff.findings(text_of(row), confdiff.versions(row.pool, row.gateway))


def silent(row: ConfigRevision) -> dict[str, list[Finding]]:
    """ "1.1.6 → 1.3.0" → what that step, up or down, changes about this text without a word."""
    return confdiff.silent(text_of(row), confdiff.versions(row.pool, row.gateway))


def add_signature(row: ConfigRevision, signature: str, *, by: User, actor: Actor, now: datetime) -> str:
    """Keep an approver's signature over the revision's statement; return his name. Once each, and not the asker's."""
    if not row.statement:
        raise Refused(f"Configuration {row.number} needs no signature: one person may change all that it changes.")
    if row.state not in (State.WAITING, State.AGREED):
        raise Refused(f"Configuration {row.number} was rejected; there is nothing to sign.")
    said = statement.signed(row.statement, signature)
    if said.user.pk == row.made_by_id:
        raise Refused(f"{said.user.username} proposed configuration {row.number}; somebody else must sign it.")
    if not rights.may(said.user, APPROVE, f"pool:{row.pool_id}"):
        raise Refused(f"{said.user.username} may not approve configurations of {row.pool.name}.")
    name = f"{said.name}.sig"
    with transaction.atomic():
        fresh = ConfigRevision.objects.select_for_update().get(pk=row.pk)
        if name not in [one["name"] for one in fresh.signatures]:
            fresh.signatures = [*fresh.signatures, {"name": name, "text": said.text}]
            fresh.save(update_fields=["signatures"])
            details = {"number": row.number, "sha256": row.sha256, "by": said.name}
            audit.append("config.signed", subject=subject(row), actor=actor, at=now, details=details)
    row.refresh_from_db()
    return said.name


def why_not(row: ConfigRevision) -> str:
    """Why it may not go to gateways now, as a sentence; "" when it may."""
    if row.state != State.AGREED:
        return f"Configuration {row.number} of {row.pool.name} is not agreed: it is {row.get_state_display().lower()}."
    if missing := lacking(row):
        return (
            f"Gateways want configuration {row.number} of {row.pool.name} signed by approvers. {missing} "
            "Download its statement, sign it with your own key, and add the signature."
        )
    return ""


def lacking(row: ConfigRevision) -> str:
    """Why gateways would not take its statement yet: too few approvers signed it; "" when they would."""
    return statement.lacking(statement.people_of(str(one["name"]) for one in row.signatures)) if row.statement else ""


def bring(row: ConfigRevision) -> tuple[str, Statement | None]:
    """The text and the signed statement for a gateway. Refused when it may not go there."""
    if why := why_not(row):
        raise Refused(why)
    signatures = tuple((str(one["name"]), str(one["text"])) for one in row.signatures)
    return text_of(row), Statement(row.statement, signatures) if row.statement else None


def planned(row: ConfigRevision, gateways: Sequence[Gateway], *, new_release: bool) -> Mapping[str, Any]:
    """What a plan says of it: names that change, which way it goes, and what one person may not change."""
    text = text_of(row)
    known = {old.sha256: old for old in ConfigRevision.objects.filter(pool=row.pool, state=State.AGREED)}
    olds = {confdiff.agreed_sha(gateway) for gateway in gateways}
    told = confdiff.difference({sha: text_of(known[sha]) if sha in known else None for sha in olds}, text)
    way = "restart" if new_release and told["way"] != "none" else told["way"]
    return {"id": row.pk, "number": row.number, "sha256": row.sha256, **told, "way": way}


def subject(row: ConfigRevision) -> str:
    return f"config:{row.pk}"


def digest(text: str) -> str:
    """SHA-256 of the text's UTF-8, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_unusable(text: str, sha256: str, place: Place, base: ConfigRevision | None) -> None:
    if not text.strip() or len(text) > CONF_MAX:
        raise Refused(f"A configuration has 1 to {CONF_MAX} characters; this has {len(text)}.")
    if base is None:
        there = confdiff.agreed_on(place.pool, place.gateway)
        if sha256 not in there:
            shown = ", ".join(f"{sha[:12]} on {listed(names)}" for sha, names in there.items()) or "nothing known yet"
            raise Refused(
                f"The first configuration of {place} must be the file as it is there (SHA-256 {shown}); "
                f"this one is {sha256[:12]}. Copy ocserv.conf from the gateway as it is."
            )
        return
    if sha256 == base.sha256:
        raise Refused(f"This is configuration {base.number} of {place} already; nothing differs.")
    if bad := oddlines.bad_character(text):
        raise Refused(f"The configuration holds the character {bad}, at which readers may cut a line. Take it out.")
    serving = confdiff.findings(text, confdiff.serving(place.pool, place.gateway))
    errors = list(dict.fromkeys(found.say for said in serving.values() for found in said if found.level == "error"))
    if errors:
        raise Refused(" ".join(errors[:5]))


def _statement(place: Place, sha256: str, *, now: datetime) -> str:
    gateway = place.gateway.name if place.gateway else "*"
    return canonical({**drafted("config", gateway, made=now, lasts=GOOD_FOR), "sha256": sha256})


def _ask(row: ConfigRevision, base: ConfigRevision | None, text: str, *, by: User, actor: Actor, now: datetime) -> None:
    old = text_of(base) if base else text
    beyond = allow.beyond(old, text)
    _move(row, State.WAITING, f"One person may not change {listed(beyond, 8)}.", actor=actor, now=now)
    changes.propose(
        KIND,
        by=by,
        actor=actor,
        now=now,
        subject=subject(row),
        scope=f"pool:{row.pool_id}",
        payload={"config": row.pk, "sha256": row.sha256, "beyond": beyond, "base": base.sha256 if base else ""},
        title=f"Agree on configuration {row.number} of {row.gateway.name if row.gateway else row.pool.name}",
        lines=confdiff.lines(old, text, beyond),
        diff=confdiff.between(old, text),
        warning=confdiff.warning(old, text),
        why=row.note,
    )


def apply_agree(applied: changes.Applied) -> None:
    row = ConfigRevision.objects.select_for_update().get(pk=applied.payload["config"])
    if row.sha256 != applied.payload["sha256"]:
        raise Refused(f"Configuration {row.number} is not the one that was shown. Propose it again.")
    Pool.objects.select_for_update().get(pk=row.pool_id)
    base = agreed_for(Place(row.pool, row.gateway))
    if base and base.sha256 != applied.payload.get("base", base.sha256):
        raise Refused(
            f"Since this was asked, configuration {base.number} was agreed; this one would take back what it changed. "
            "Say no to it and have it proposed again."
        )
    _move(row, State.AGREED, f"Agreed by {applied.decided_by.username}.", actor=applied.actor, now=applied.now)


def reject(applied: changes.Applied) -> None:
    row = ConfigRevision.objects.get(pk=applied.payload["config"])
    _move(row, State.REJECTED, f"Rejected by {applied.decided_by.username}.", actor=applied.actor, now=applied.now)


def _move(row: ConfigRevision, to: str, reason: str, *, actor: Actor, now: datetime) -> None:
    """Compare-and-set with its event; inside a transaction."""
    before = row.state
    if ConfigRevision.objects.filter(pk=row.pk, state=before).update(state=to, state_reason=reason) != 1:
        raise Refused(f"Configuration {row.number} was decided meanwhile. Look at it again.")
    row.state, row.state_reason = to, reason
    details = {"number": row.number, "sha256": row.sha256, "before": str(before), "after": str(to)}
    audit.append("config.moved", subject=subject(row), actor=actor, at=now, reason=reason, details=details)


def _before(row: ConfigRevision) -> str:
    rows = ConfigRevision.objects.filter(pool=row.pool, state=State.AGREED, number__lt=row.number)
    own = rows.filter(gateway=row.gateway).order_by("-number").first() if row.gateway else None
    old = own or rows.filter(gateway__isnull=True).order_by("-number").first()
    return text_of(old) if old else ""


def _name(row: ConfigRevision) -> str:
    return f"config:{row.pk}"
