"""What becomes of drift: it is adopted, which a second person approves, or put back to what was agreed already.

Putting back needs one person only: what is written is what two people agreed to before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from approvals import audit, changes, rights
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import agreements, alerts, diffs, errands, ports
from fleet.drift import PARTS, trees_of
from fleet.models import Alert, Errand
from fleet.phrases import listed

ADOPT = "drift.adopt"
RIGHT = "fleet.enrol_gateway"

ADOPTING = {
    "conf": "The file as it is on the host becomes the agreed one. Slots that run keep theirs; the next one takes it.",
    "agreed": "The configuration that the gateway takes for the agreed one counts as agreed here too.",
    "release": "The files as they are count as agreed on this gateway, though nobody has signed them.",
    "version": "The release that is committed there counts as what was rolled out to it.",
    "ocgate": "The program as it is counts as agreed on this gateway.",
    "trust": "Whoever is pinned there now decides what this gateway installs.",
    "keys": "Whoever holds these keys signs in to this gateway as the controller.",
}
"""Part → what adopting it means."""

WARNINGS = {
    "release": "These files carry nobody's signature.",
    "trust": "This hands the gateway to other signers.",
    "keys": "This lets other keys in.",
}

PUTTING_BACK = {
    "conf": "ocserv.conf is written again as it was agreed. No slot is touched, no user is cut.",
    "release": "The release is brought again and every file that differs is replaced. A program that runs keeps what it"
    " has loaded until its slot is retired. No user is cut.",
    "keys": "The keys that were sent to it last are sent again.",
}

NO_WAY_BACK = {
    "agreed": "Roll out the configuration that should be the agreed one.",
    "version": "Plan a rollout of the release that should be there.",
    "program": "Roll a release out into a free slot, then retire this one: a program can't be changed while it runs.",
    "ocgate": "A gateway takes another ocgate only with a statement that the signers have signed.",
    "trust": "A gateway takes other signers only with a statement that those pinned on it have signed. Draw a new one.",
    "inventory": "Replace its ocgate with this controller's.",
}
"""Why a button can't put this back, and what does."""


@dataclass(frozen=True)
class Way:
    """A button with its effect, or with the reason why not."""

    effect: str = ""
    reason: str = ""


def subject(alert: Alert) -> str:
    return f"alert:{alert.pk}"


def scope(alert: Alert) -> str:
    return f"pool:{alert.host.pool_id}"


def adopting(alert: Alert) -> Way:
    if alert.code not in ADOPTING:
        return Way(reason="There is nothing in this that could be agreed to.")
    if not alert.details.get("now"):
        return Way(reason="What is gone can't be adopted.")
    if named := beyond(alert):
        say = f"It changes {listed(named, 8)}, which the gateway takes only with approvers' signatures."
        return Way(reason=f"{say} Propose the file as a configuration, have it signed, and roll it out.")
    return Way(effect=ADOPTING[alert.code])


def beyond(alert: Alert) -> list[str]:
    """What an edited ocserv.conf changes that its gateway would not take on anybody's word from here."""
    return diffs.beyond(str(alert.details.get("diff", ""))) if alert.code == "conf" else []


def putting_back(alert: Alert) -> Way:
    """Whether one person may put it back now."""
    if alert.code == "keys" and _sent_last(alert, "authorize") is None:
        return Way(reason="No keys were sent to it from here yet. Look at authorized_keys on its console.")
    if alert.code not in PUTTING_BACK:
        return Way(reason=NO_WAY_BACK[alert.code])
    return Way(effect=PUTTING_BACK[alert.code])


def asked(alert: Alert) -> Request | None:
    """The open question whether to adopt it."""
    return Request.objects.filter(kind=ADOPT, subject=subject(alert), state=Request.State.OPEN).first()


def at_work(alert: Alert) -> Errand | None:
    """What was sent to the gateway last because of it."""
    return Errand.objects.filter(subject=subject(alert)).order_by("-created_at", "-pk").first()


def adopt(alert: Alert, *, by: User, actor: Actor, why: str, now: datetime) -> Request:
    """Ask a second person to agree to exactly what is there now."""
    _refuse_ended(alert)
    if reason := adopting(alert).reason:
        raise Refused(reason)
    part, name = PARTS[alert.code], alert.host.name
    payload = {"alert": alert.pk, "gateway": name, "code": alert.code, "sha256": alert.details["sha256"]}
    return changes.propose(
        ADOPT,
        by=by,
        actor=actor,
        now=now,
        subject=subject(alert),
        scope=scope(alert),
        payload=payload,
        title=f"Adopt {part} of {name} as it is now",
        lines=[alert.say, ADOPTING[alert.code], *_signed_in(alert)],
        diff=str(alert.details.get("diff", "")),
        warning=WARNINGS.get(alert.code, ""),
        why=why,
    )


def apply_adopted(applied: Applied) -> None:
    """Two people agreed: it is agreed from now on. Refused when it is no longer what they looked at."""
    payload = applied.payload
    alert = Alert.objects.select_for_update(of=("self",)).select_related("gateway").filter(pk=payload["alert"]).first()
    if alert is None or alert.ended_at is not None:
        raise Refused(f"Nothing on {payload['gateway']} differs there any more, so there is nothing to adopt.")
    if alert.details.get("sha256") != payload["sha256"]:
        raise Refused(f"It has changed on {payload['gateway']} since this was asked. Look at the alert and ask again.")
    if alert.code == "conf":
        # Only the gateway can take it: the text may hold secrets and never left the host.
        args = {"sha256": payload["sha256"]}
        errands.send(
            [alert.host], "adopt_conf", subject=subject(alert), args=args, now=applied.now, actor=applied.actor
        )
        return
    why = f"{applied.asked_by.username} asked to adopt it, {applied.decided_by.username} agreed."
    agreements.note(alert.host, {_part(alert): _value(alert)}, why=why, actor=applied.actor, now=applied.now)
    alerts.end(alert, why=f"It was adopted: {why}", actor=applied.actor, now=applied.now)


def put_back(alert: Alert, *, by: User, actor: Actor, why: str, now: datetime) -> None:
    """Send what was agreed to the gateway again."""
    if not rights.may(by, RIGHT, scope(alert)):
        raise Refused(f"You may not put this back: you lack the right {RIGHT} on {alert.host.pool.name}.")
    with transaction.atomic():
        alert = Alert.objects.select_for_update(of=("self",)).select_related("gateway__pool").get(pk=alert.pk)
        _refuse_ended(alert)
        if reason := putting_back(alert).reason:
            raise Refused(reason)
        errand = at_work(alert)
        if errand and errand.state in errands.OPEN:
            raise Refused(f"It is being put back already. {errand.say}".strip())
        kind, args = _errand(alert)
        errands.send([alert.host], kind, subject=subject(alert), args=args, now=now, actor=actor)
        about, details = f"gateway:{alert.gateway_id}", {"alert": alert.pk, "code": alert.code}
        audit.append("drift.put_back", subject=about, actor=actor, at=now, reason=why, details=details)


def put_conf_back(job: errands.Job, gateway: ports.Gateway) -> str:
    """The errand `agree`: the operator's file is written again as it was agreed.

    Nothing is agreed by that: what the gateway takes for the agreed one may itself be drift.
    """
    already = gateway.agree(job.args["conf"], fence=job.fence)
    return f"ocserv.conf on {job.gateway.name} {'was as agreed already' if already else 'is as agreed again'}."


def adopt_conf(job: errands.Job, gateway: ports.Gateway) -> str:
    """The errand `adopt_conf`: what is on the host becomes the agreed one, if it is still what people looked at."""
    gateway.adopt_conf(job.args["sha256"], fence=job.fence)
    job.agreed("agreed", job.args["sha256"])
    return f"{job.gateway.name} takes its ocserv.conf for the agreed one now."


def _errand(alert: Alert) -> tuple[str, dict[str, Any]]:
    """Kind and arguments of what puts it back."""
    match alert.code:
        case "conf":
            return "agree", {"conf": alert.details["agreed"]}
        case "release":
            return "restage", {"releases": sorted(trees_of(alert.details["now"]))}
        case _:
            sent = _sent_last(alert, "authorize")
            return "authorize", dict(sent.args) if sent else {}


def _sent_last(alert: Alert, kind: str) -> Errand | None:
    done = Errand.objects.filter(gateway=alert.gateway_id, kind=kind, state=Errand.State.DONE)
    return done.order_by("-finished_at").first()


def _part(alert: Alert) -> str:
    return "release.adopted" if alert.code == "release" else alert.code


def _value(alert: Alert) -> tuple[str, str]:
    """What is agreed from now on, and the same for people."""
    if alert.code != "release":
        return alert.details["now"], ""
    earlier = alert.host.agreements.filter(code="release.adopted").first()
    trees = trees_of(earlier.shown if earlier else "") | trees_of(alert.details["now"])
    return alert.details["sha256"], "\n".join(f"{release} {tree}" for release, tree in sorted(trees.items()))


def _signed_in(alert: Alert) -> list[str]:
    names = sorted({f"{login['user']} from {login['from'] or 'the console'}" for login in alert.details["logins"]})
    return [f"Signed in on the host around that time: {', '.join(names)}."] if names else []


def _refuse_ended(alert: Alert) -> None:
    if alert.ended_at is not None:
        raise Refused(f"This is over since {alert.ended_at:%H:%M} UTC: {alert.ended_why}")
