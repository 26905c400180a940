"""A fleet that is measured: gateways that answered a moment ago, readings as the collector writes them, alerts."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from approvals.models import Actor, User
from fleet import alerts, sealed
from fleet.alarms import signing
from fleet.alerts import ALARM, Call
from fleet.metrics.store import FINEST
from fleet.models import Alert, Contact, Gateway, Pool, Reading, Watch
from tests import factories

NOW = float(int(time.time()))
AT = datetime.fromtimestamp(NOW, UTC)
ZERO = dict.fromkeys(
    ("arrivals", "reconnects", "departures", "logins", "failures", "errors", "crashes", "restarts", "bans"), 0
)


def measured(count: int, *, on: Pool | None = None, begin: int = 0) -> list[Gateway]:
    """Gateways that answered at NOW, with nothing in their readings."""
    pool = on or factories.pool()
    facts = {"slots": [{"slot": 1, "state": "serving"}]}
    rows = [Gateway(name=f"gw-{begin + n:02}", pool=pool, address="203.0.113.1", facts=facts) for n in range(count)]
    made = Gateway.objects.bulk_create(rows)
    for gateway in made:
        answered(gateway, NOW)
    return made


def answered(gateway: Gateway, at: float, **slot: Any) -> None:
    told = {"1": {"at": at, **slot}}
    Watch.objects.update_or_create(
        gateway=gateway, defaults={"asked_at": at, "answered_at": at, "used_at": at, "slots": told}
    )


def read(gateways: list[Gateway], *, until: float = NOW, looks: int = 12, **values: float | None) -> None:
    """`looks` readings a gateway, the last one at `until`, each with these values."""
    Reading.objects.bulk_create(
        Reading(
            **{"gateway": gateway, "span": FINEST, "at": int(until - 5 * n), "slot": 1, "seconds": 5.0},
            **{"sessions": 20, **ZERO, "cpu_seconds": 0.1, **values},
        )
        for gateway in gateways
        for n in range(looks)
    )


def alert(
    subject: str = "login-failures@pool:1", *, pool: Pool | None = None, at: datetime = AT, **details: Any
) -> Alert:
    """One alarm that stands since `at`, as the rules make it."""
    told = {
        "rule": subject.partition("@")[0],
        "severity": "critical",
        "gateways": ["gw-00"],
        "rollout": None,
        **details,
    }
    about, say = "Sign-ins fail · eu-west", "More than 20 % of sign-ins fail on 1 gateway: gw-00."
    where = pool or factories.pool()
    call = Call(kind=ALARM, subject=subject, about=about, say=say, link="", pool=where, details=told)
    alerts.call_out(call, None, now=at)
    return Alert.objects.get(subject=subject, ended_at=None)


def end(row: Alert, *, at: datetime | None = None) -> None:
    alerts.settle([], now=at or timezone.now(), kinds=[ALARM], over="It is over.")
    row.refresh_from_db()


def contact(name: str = "oncall", *, by: User | None = None, url: str = "json://127.0.0.1:9/x", **more: Any) -> Contact:
    """A contact with a sealed address."""
    who = by or factories.person("operator")
    about = {"kind": "webhook", "hint": "Webhook by 127.0.0.1", "made_by": who, "made_at": AT, **more}
    row = Contact.objects.create(name=name, **about)
    sealed.seal(signing.seal_name(row), url.encode())
    return row


def actor(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk)


def at(minutes: float = 1) -> Callable[[], datetime]:
    """A clock that stands so long after AT."""

    def clock() -> datetime:
        return AT + timedelta(minutes=minutes)

    return clock
