"""Alerts: opened, changed and ended here alone, each with its event in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from approvals import audit
from approvals.models import Actor
from fleet.drift import KIND, Difference
from fleet.inventory import Login
from fleet.models import Alert, Gateway, Pool

WATCHER = Actor.machine("drift")
CALLER = Actor.machine("controller")
CALLS = (
    "rollback",
    "drain",
    "hold",
    "freeze",
    "budget",
    "peers",
    "quiet",
    "approval",
    "glass",
    "passkey",
)  # kinds that are not drift: upgrader/calls.py says when
ALARM = "alarm"  # what a rule found in the numbers: fleet/alarms/watch.py says when
DECIDED = "Nobody has to decide on it any more."
LOGINS = 10  # of one alert


def note(
    gateway: Gateway,
    found: Sequence[Difference],
    *,
    now: datetime,
    logins: Sequence[Login] = (),
    judged: Iterable[str] | None = None,
) -> int:
    """These are the gateway's differences now: open, change and end alerts accordingly; return how many that were.

    `judged`: the codes that were looked at; others stay as they are. Without it all were.
    """
    try:
        with transaction.atomic():
            standing = {alert.code: alert for alert in _locked(gateway)}
            done = [_stand(gateway, it, standing.pop(it.code, None), logins=logins, now=now) for it in found]
            gone = [alert for code, alert in standing.items() if judged is None or code in judged]
            done += [end(alert, why="It is as agreed again.", actor=WATCHER, now=now) for alert in gone]
            return sum(done)
    except IntegrityError:
        return 0  # another worker looked at the same moment; what it wrote is as new as ours


def end(alert: Alert, *, why: str, actor: Actor, now: datetime) -> bool:
    """End one; False when it had ended already. Inside a transaction."""
    if not Alert.objects.filter(pk=alert.pk, ended_at=None).update(ended_at=now, ended_why=why[:200]):
        return False
    about = {"kind": alert.kind} if alert.subject else {"code": alert.code}
    _record("settled" if alert.subject else "ended", alert, actor=actor, now=now, reason=why, **about)
    return True


def end_all(gateway: Gateway, *, why: str, now: datetime) -> None:
    """The gateway is nobody's to look at any more. Inside a transaction."""
    for alert in _locked(gateway):
        end(alert, why=why, actor=WATCHER, now=now)


@dataclass(frozen=True)
class Call:
    """What a person is called for now. `pool`: whose people; None: the fleet's."""

    kind: str  # one of CALLS, or ALARM
    subject: str  # "rollout:12", "budget:fleet"
    about: str  # the same for people
    say: str
    link: str  # the page on which it is decided
    pool: Pool | None = None
    gateway: Gateway | None = None  # the first one concerned
    details: Mapping[str, Any] = field(default_factory=dict)  # of an alarm: its rule, severity, gateways, rollout

    @property
    def key(self) -> tuple[str, str]:
        return (self.kind, self.subject)


def settle(calls: Iterable[Call], *, now: datetime, kinds: Sequence[str] = CALLS, over: str = DECIDED) -> int:
    """These are all calls of these kinds that stand now: open, change and end alerts accordingly, the latter with
    `over` as the reason; return how many that were."""
    standing = {(alert.kind, alert.subject): alert for alert in Alert.objects.filter(kind__in=kinds, ended_at=None)}
    written = sum(call_out(call, standing.pop(call.key, None), now=now) for call in calls)
    for alert in standing.values():
        with transaction.atomic():
            written += end(alert, why=over, actor=CALLER, now=now)
    return written


def call_out(call: Call, known: Alert | None, *, now: datetime) -> bool:
    """Call a person, or say anew what for; whether there was something to write."""
    row = {"say": call.say, "link": call.link, "details": {"about": call.about, **call.details}}
    if known is not None and all(getattr(known, name) == value for name, value in row.items()):
        return False
    try:
        with transaction.atomic():
            if known is None:
                made = {
                    "kind": call.kind,
                    "subject": call.subject,
                    "pool": call.pool,
                    "gateway": call.gateway,
                    "code": call.subject[:40],
                }
                alert = Alert.objects.create(**made, **row, since=now)
            elif Alert.objects.filter(pk=known.pk, ended_at=None).update(**row):
                alert = known
            else:
                return False
            _record("repeated" if known else "raised", alert, actor=CALLER, now=now, reason=call.say, kind=call.kind)
            return True
    except IntegrityError:
        return False  # another worker called at the same moment


def open_on(gateway_ids: Iterable[int]) -> list[Alert]:
    """Open alerts about drift on these gateways, with the gateways."""
    rows = Alert.objects.filter(kind=KIND, ended_at=None, gateway__in=list(gateway_ids))
    return list(rows.select_related("gateway").order_by("gateway__name", "code"))


def suspects(logins: Sequence[Login], *, since: float, until: float) -> list[Login]:
    """Who was signed in on the host at some moment between the last look that found it well and this one."""
    # The host's records have whole seconds: who left within the second in which the look before was is one of them.
    inside = [it for it in logins if it.at <= until and (not it.until or it.until >= int(since))]
    return sorted(inside, key=lambda login: login.at, reverse=True)[:LOGINS]


def _locked(gateway: Gateway) -> list[Alert]:
    return list(Alert.objects.select_for_update().filter(gateway=gateway, kind=KIND, ended_at=None))


def _stand(
    gateway: Gateway, difference: Difference, alert: Alert | None, *, logins: Sequence[Login], now: datetime
) -> bool:
    """Open the alert, or bring it up to date; whether there was something to write."""
    details, verb = details_of(difference, logins), "changed"
    if alert is None:
        verb = "opened"
        alert = Alert.objects.create(
            gateway=gateway, kind=KIND, code=difference.code, say=difference.say, details=details, since=now
        )
    elif alert.details.get("sha256") == difference.sha256 and alert.details.get("diff") == difference.diff:
        return False
    else:
        # Who was there when it began stays suspect; who was there when it went on joins them.
        details["logins"] = _joined(details["logins"], alert.details.get("logins", []))
        Alert.objects.filter(pk=alert.pk).update(say=difference.say, details=details)
    about = {"code": alert.code, "now_is": difference.sha256}
    _record(verb, alert, actor=WATCHER, now=now, reason=difference.say, **about)
    return True


def details_of(difference: Difference, logins: Sequence[Login]) -> dict[str, Any]:
    """What the alert's row keeps of a difference."""
    return {
        "agreed": difference.agreed,
        "now": difference.now,
        "sha256": difference.sha256,
        "diff": difference.diff,
        "logins": [{"user": it.user, "from": it.remote, "at": it.at, "until": it.until} for it in logins],
    }


def _joined(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {(login["user"], login["from"], login["at"]) for login in new}
    return (new + [login for login in old if (login["user"], login["from"], login["at"]) not in known])[:LOGINS]


def _record(verb: str, alert: Alert, *, actor: Actor, now: datetime, reason: str, **details: str) -> None:
    about = {"alert": alert.pk, **details}
    subject = alert.subject or f"gateway:{alert.gateway_id}"
    audit.append(f"alert.{verb}", subject=subject, actor=actor, at=now, reason=reason, details=about)
