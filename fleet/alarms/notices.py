"""How far people know of each alert: who is to be told next, who acknowledged, what has ended. The only writer of
Notice rows, and the only one who makes deliveries of alerts.

`sweep` may run twice at once and at any moment: a delivery is unique by alert, contact and turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q

from approvals import audit, duty
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.alarms import silences
from fleet.alarms.about import about, is_critical, pool_of
from fleet.alarms.ladder import GROUP_WAIT, Match, OnCall, Step, is_silent
from fleet.alerts import ALARM
from fleet.drift import KIND as DRIFT
from fleet.models import Alert, Contact, Delivery, Notice, Pool
from fleet.phrases import count
from fleet.selectors import pools_with, visible_pools

GROUPED = (ALARM, DRIFT)
MACHINE = Actor.machine("alerts")
What, State = Delivery.What, Delivery.State


def sweep(now: datetime) -> int:
    """Make every delivery that is due; return how many that were."""
    contacts = list(Contact.objects.filter(retired_at=None).select_related("person"))
    rows = Alert.objects.filter(ended_at=None).select_related("gateway", "notice")
    ready = rows.exclude(kind__in=GROUPED, since__gt=now - timedelta(seconds=GROUP_WAIT))
    quiet = silences.matches(now)
    turns = _turns()
    serving = _serving(contacts, now)
    made = []
    for alert in ready:
        known = serving.get(pool_of(alert) or 0)
        here = [one for one in contacts if known is None or known.reaches(one.person_id)]
        made += _due(alert, here, turns=turns, quiet=quiet, now=now)
    # Another worker may have made the same at the same moment.
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    return len(made) + _ended(now)


def acknowledge(alert: Alert, *, by: User, actor: Actor, say: str, now: datetime) -> bool:
    """Stop telling further people; False where somebody did already. Raise Refused."""
    if not may_acknowledge(alert, by):
        raise Refused("You may not acknowledge this: you lack the right to hold rollouts on its pool.")
    with transaction.atomic():
        if Alert.objects.select_for_update().filter(pk=alert.pk, ended_at=None).first() is None:
            raise Refused("This alert has ended: there is nothing left to acknowledge.")
        notice, _ = Notice.objects.get_or_create(alert=alert, defaults={"begun_at": now})
        number = len(about(alert).gateways)
        said = {"acked_at": now, "acked_by": by, "ack_say": say.strip()[:2000], "acked_for": number}
        if not Notice.objects.filter(pk=notice.pk, acked_at=None).update(**said):
            return False
        audit.append(
            "alert.acknowledged",
            subject=alert.subject or f"gateway:{alert.gateway_id}",
            actor=actor,
            at=now,
            reason=say.strip()[:2000],
            details={"alert": alert.pk, "kind": alert.kind},
        )
        return True


def may_acknowledge(alert: Alert, by: User) -> bool:
    """Who may hold on its pool; for one about the fleet, on any pool."""
    pool = alert.pool or (alert.gateway.pool if alert.gateway else None)
    if pool is not None:
        return silences.may(by, pool)
    return silences.may(by, None) or pools_with(by, "hold_rollout").exists()


def is_quiet(alert: Alert, quiet: Iterable[Match]) -> bool:
    return is_silent(about(alert), quiet)


def concerns(contact: Contact, alert: Alert) -> bool:
    """Whether this contact is told of this alert at all."""
    wanted = contact.severity == Contact.Severity.WARNING or is_critical(alert)
    here = contact.pool_id is None or pool_of(alert) in (None, contact.pool_id)
    return wanted and here and _may_see(contact.person, alert)


def _may_see(person: User | None, alert: Alert) -> bool:
    """Whether a contact that belongs to a person may be told: of what he may look at."""
    if person is None:
        return True
    pools, pool = visible_pools(person), pool_of(alert)
    return person.is_active and (pools.exists() if pool is None else pools.filter(pk=pool).exists())


def _serving(contacts: Iterable[Contact], now: datetime) -> dict[int, OnCall]:
    """Who is on call by pool, for pools with a calendar; asked for only where people have contacts of their own."""
    if not any(contact.person_id for contact in contacts):
        return {}
    scopes = {f"pool:{pk}": pk for pk in Pool.objects.values_list("pk", flat=True)}
    known, holders = duty.now_on_call(list(scopes), now), duty.holders_of(scopes)
    return {
        scopes[scope]: OnCall(frozenset(holders.get(scope, {})), frozenset(person.pk for person in now_on.people))
        for scope, now_on in known.items()
    }


Turns = Mapping[tuple[int, int], int]
"""Alert and contact → the last turn that was made."""


def _turns() -> Turns:
    rows = Delivery.objects.filter(what=What.OPENED, alert__ended_at=None).order_by()
    told = rows.values_list("alert", "contact").annotate(last=Max("turn"))
    return {(alert, contact): last for alert, contact, last in told}


def _due(
    alert: Alert, contacts: Iterable[Contact], *, turns: Turns, quiet: Iterable[Match], now: datetime
) -> list[Delivery]:
    if is_quiet(alert, quiet):
        return []
    notice = getattr(alert, "notice", None)
    if notice is None:
        notice, _ = Notice.objects.get_or_create(alert=alert, defaults={"begun_at": now})
    if notice.acked_at is not None and not (_outgrown(alert, notice) and _anew(alert, notice, now=now)):
        return []
    made = []
    for contact in contacts:
        turn = Step(contact.after_minutes, contact.repeat_minutes).turn((now - notice.begun_at).total_seconds())
        turn = None if turn is None else turn + notice.turns_before
        if turn is not None and turn > turns.get((alert.pk, contact.pk), -1) and concerns(contact, alert):
            made.append(_delivery(alert, contact, What.OPENED, now=now, turn=turn))
    return made


def _outgrown(alert: Alert, notice: Notice) -> bool:
    """Whether it is about more than twice as many gateways as when somebody said that he looks after it."""
    return len(about(alert).gateways) > 2 * max(1, notice.acked_for)


def _anew(alert: Alert, notice: Notice, *, now: datetime) -> bool:
    """Begin to tell people as if nobody had acknowledged it; False where another worker was faster."""
    last = Delivery.objects.filter(alert=alert, what=What.OPENED).aggregate(last=Max("turn"))["last"]
    anew = {"acked_at": None, "begun_at": now, "turns_before": 0 if last is None else last + 1}
    with transaction.atomic():
        if not Notice.objects.filter(pk=notice.pk, acked_at=notice.acked_at).update(**anew):
            return False
        number = len(about(alert).gateways)
        why = f"It was acknowledged for {count(notice.acked_for, 'gateway')} and is about {number:,} now."
        subject = alert.subject or f"gateway:{alert.gateway_id}"
        audit.append("alert.outgrown", subject=subject, actor=MACHINE, at=now, reason=why, details={"alert": alert.pk})
    notice.refresh_from_db()
    return True


def _delivery(alert: Alert, contact: Contact, what: str, *, now: datetime, turn: int = 0) -> Delivery:
    return Delivery(alert=alert, contact=contact, what=what, turn=turn, due_at=now, created_at=now)


def _ended(now: datetime) -> int:
    """Who was told of what has ended is told that it has."""
    written = 0
    for notice in Notice.objects.filter(closed_at=None).exclude(alert__ended_at=None).select_related("alert"):
        with transaction.atomic():
            if not Notice.objects.filter(pk=notice.pk, closed_at=None).update(closed_at=now):
                continue
            rows = Delivery.objects.filter(alert=notice.alert, what=What.OPENED)
            told = rows.filter(Q(state=State.SENT) | Q(state=State.CLAIMED)).filter(contact__retired_at=None)
            contacts = Contact.objects.filter(pk__in=told.values("contact"))
            made = [_delivery(notice.alert, contact, What.ENDED, now=now) for contact in contacts]
            Delivery.objects.bulk_create(made, ignore_conflicts=True)
            written += len(made)
    return written
