"""Alarms that stand, whom they reach, what was sent, and what is silenced."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.utils import timezone

from approvals.models import Actor, User
from fleet import alerts
from fleet.alarms import contacts, notices, outbox, rule_store, silences
from fleet.alarms.ladder import Match
from fleet.alarms.post import Letter
from fleet.alarms.rules import DEFAULTS, parse
from fleet.alerts import ALARM, Call
from fleet.errors import RetryLater
from fleet.models import AlarmState, Alert, Delivery, Pool
from fleet.phrases import count, listed
from tests import factories

ADDRESSES = {
    "On call": ("tgram://123456789:AAabcdefghijklmnopqrstuvwxyz_012345/-1001234", 0, 10),
    "Team lead": ("mailtos://handover:pw@mail.example.org?to=lead@example.org", 15, 30),
    "NOC": ("jsons://noc.example.org/hooks/T0KEN", 0, 0),
}


def actor(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk)


def alarms() -> int:
    """Six gateways on which sign-ins fail, told to two contacts of which one does not answer; memory, silenced."""
    people, now = factories.cast(), timezone.now()
    pool = factories.pool("dublin")
    for name in ("operator", "oncall"):
        factories.person(name, ("view_pool", "hold_rollout"), pool)
    gateways = [factories.gateway(f"dub-gw-{n:02}", on=pool, now=now) for n in range(1, 7)]
    since = now - timedelta(minutes=18)
    _call(pool, "login-failures", [row.name for row in gateways], "critical", since=since)
    _call(pool, "memory", [gateways[0].name], "warning", since=since - timedelta(hours=3))
    AlarmState.objects.bulk_create(
        AlarmState(code="login-failures", gateway=row, since=since.timestamp(), firing=True, value=24.0 + 7 * place)
        for place, row in enumerate(gateways)
    )
    by = people["operator"]
    quiet, why = Match(what="memory", pool=pool.pk), "Fixed by 1.5.1, planned for Thursday."
    silences.begin(quiet, by=by, actor=actor(by), hours=8, why=why, now=since)
    for name, (address, after, again) in ADDRESSES.items():
        wanted = contacts.Wanted(name, address, None, "warning", after, again)
        contacts.add(wanted, by=by, actor=actor(by), now=since)
    spec = {**DEFAULTS["memory"].spec, "threshold": 3072}
    said = rule_store.Said(by, actor(by), "Our gateways have 8 GiB.", since)
    rule_store.change(("memory", None), spec, seen=0, said=said)
    _tell(since)
    return Alert.objects.get(subject__startswith="login-failures", ended_at=None).pk


def _call(pool: Pool, code: str, names: list[str], severity: str, *, since: datetime) -> None:
    details = {"rule": code, "severity": severity, "gateways": names, "rollout": None}
    on = f"{count(len(names), 'gateway')}: {listed(names)}"
    say = f"{parse(code, DEFAULTS[code].spec).say} on {on}."
    about = f"{DEFAULTS[code].title} · {pool.name}"
    call = Call(ALARM, f"{code}@pool:{pool.pk}", about, say, "", pool=pool, details=details)
    alerts.call_out(call, None, now=since)


def _tell(since: datetime) -> None:
    """What was sent so far; the NOC's hook is down."""

    def send(letter: Letter) -> str:
        if letter.url.startswith("jsons"):
            raise RetryLater("503 Service Unavailable")
        return "200 OK"

    for minutes in (1, 12):
        at = since + timedelta(minutes=minutes)
        notices.sweep(at)
        for delivery in Delivery.objects.filter(state="due", due_at__lte=at):
            outbox.run(delivery.pk, clock=partial(_same, at), sender=send)


def _same(at: datetime) -> datetime:
    return at
