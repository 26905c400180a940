"""What the pages of alerts, rules, contacts and deliveries show. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import Http404

from approvals import rights
from approvals.models import User
from fleet import alert_pages, call_pages
from fleet.alarms import about, contacts, notices, outside, own, rule_store, signing, silences
from fleet.alarms.rules import DEFAULTS, Rule, Shipped
from fleet.metrics import collect
from fleet.models import AlarmRule, AlarmState, Alert, Contact, Delivery, Pool, Silence
from fleet.selectors import pools_with, visible_pools
from fleet.words import Word

KINDS = {"drift": "Drift", **{kind: word.say for kind, word in call_pages.WORDS.items()}}
MOST = 200
OVER_MOST = 50
CRITICAL, WARNING = call_pages.SEVERITY["critical"], call_pages.SEVERITY["warning"]
OFF = Word("Not judged", "planned", "circle-dashed")
BAD = Word("Can’t be read", "failed", "circle-x")
DELIVERY = {
    Delivery.State.DUE: Word("Waits", "waiting", "hourglass"),
    Delivery.State.CLAIMED: Word("Being sent", "running", "play"),
    Delivery.State.SENT: Word("Sent", "done", "circle-check"),
    Delivery.State.FAILED: Word("Not brought", "failed", "circle-x"),
    Delivery.State.DROPPED: Word("Dropped", "planned", "circle-dashed"),
}


def alert_for(user: User, alert_id: int) -> Alert:
    """Any alert that the user may look at, else raise Http404."""
    seen = Q(pk__in=alert_pages.alerts_for(user).values("pk")) | Q(pk__in=call_pages.calls_for(user).values("pk"))
    rows = Alert.objects.filter(seen, pk=alert_id).select_related("gateway__pool", "pool", "notice__acked_by")
    if (alert := rows.first()) is None:
        raise Http404(f"There is no alert {alert_id}, or you may not see its pool.")
    return alert


def quiet(alerts: Iterable[Alert], now: datetime) -> set[int]:
    """Which of them are silenced now."""
    standing = silences.matches(now)
    return {alert.pk for alert in alerts if notices.is_quiet(alert, standing)}


def told(alert: Alert, user: User, now: datetime) -> dict[str, Any]:
    """The page of one alert: where it is seen, who was told, who acknowledged."""
    rows = alert.deliveries.select_related("contact").order_by("-created_at")[:MOST]
    holding = [row for row in silences.standing(now) if notices.is_quiet(alert, [silences.match_of(row)])]
    what = about.about(alert)
    return {
        "alert": alert,
        "title": about.title(alert),
        "word": CRITICAL if about.is_critical(alert) else WARNING,
        "gateways": gateways(alert),
        "deliveries": [delivery(row) for row in rows],
        "silences": holding,
        "what": what,
        "pool": about.pool_of(alert),
        "may": notices.may_acknowledge(alert, user),
        "contacts": contacts.standing().exists(),
    }


def gateways(alert: Alert) -> list[dict[str, Any]]:
    """The gateways of an alarm with what is measured there now; the worst first."""
    names = list(alert.details.get("gateways", []))
    code = about.what_of(alert)
    states = AlarmState.objects.filter(code=code, gateway__name__in=names).select_related("gateway")
    metric = own.metric_of(code)
    rows: list[dict[str, Any]] = [
        {"row": state.gateway, "value": metric.said(state.value) if metric and state.value is not None else "–"}
        for state in states.order_by("-value")
    ]
    known = {row["row"].name for row in rows}
    return rows + [{"row": None, "name": name, "value": "well again"} for name in names if name not in known]


def delivery(row: Delivery) -> dict[str, Any]:
    return {"row": row, "word": DELIVERY[Delivery.State(row.state)], "title": row.said.partition("\n")[0]}


def deliveries(user: User, asked: Mapping[str, str]) -> QuerySet[Delivery]:
    """About alerts that the user may look at; tests for who may change contacts. `asked`: state, contact."""
    seen = Q(alert__in=alert_pages.alerts_for(user)) | Q(alert__in=call_pages.calls_for(user))
    if may_change_contacts(user):
        seen |= Q(alert=None)
    rows = Delivery.objects.filter(seen).select_related("contact", "alert")
    if asked.get("state") in Delivery.State.values:
        rows = rows.filter(state=asked["state"])
    contact = asked.get("contact", "")
    return rows.filter(contact=int(contact)) if contact.isascii() and contact.isdigit() and len(contact) < 10 else rows


def may_change_contacts(user: User) -> bool:
    return rights.may(user, contacts.RIGHT, rights.EVERYTHING)


@dataclass(frozen=True)
class RuleView:
    """One rule as it stands in one place. `rule` None: it can't be read, `say` says why."""

    code: str
    shipped: Shipped
    pool: Pool | None
    version: int
    rule: Rule | None
    say: str

    @property
    def place(self) -> int:
        return self.pool.pk if self.pool else 0

    @property
    def word(self) -> Word:
        if self.rule is None:
            return BAD
        if not self.rule.enabled:
            return OFF
        return CRITICAL if self.rule.severity == "critical" else WARNING


def rules(user: User) -> list[RuleView]:
    """The fleet's, and under each those of pools that the user may look at."""
    known, rows = rule_store.standing(), {(row.code, row.pool_id): row for row in rule_store.current()}
    pools = {pool.pk: pool for pool in visible_pools(user)}
    of_pools = {code: [pk for pk in pools if (code, pk) in rows] for code, _ in rows}
    places: list[tuple[str, int | None]] = []
    for code in dict.fromkeys([*DEFAULTS, *sorted(of_pools)]):
        fleet = [None] if code in DEFAULTS or (code, None) in rows else []
        places += [(code, pool) for pool in (*fleet, *of_pools.get(code, ()))]
    return [_view(known, code, pools.get(pool or 0), rows.get((code, pool))) for code, pool in places]


def _view(known: rule_store.Standing, code: str, pool: Pool | None, row: AlarmRule | None) -> RuleView:
    place = (code, pool.pk if pool else None)
    version = row.version if row else 0
    about = own.shipped(code) or Shipped(code, "", {})
    return RuleView(code, about, pool, version, known.rules.get(place), known.unreadable.get(place, ""))


def rule_page(user: User, code: str, place: int) -> dict[str, Any]:
    """One rule in one place with its versions; raise Http404 where there is none that the user may see."""
    pool = visible_pools(user).filter(pk=place).first() if place else None
    about, metric = own.shipped(code), own.metric_of(code)
    if about is None or metric is None or (place and pool is None):
        raise Http404(f"There is no rule {code}, or you may not see its pool.")
    spec, version = rule_store.spec_of(code, pool)
    versions = AlarmRule.objects.filter(code=code, pool=pool).select_related("made_by")
    return {
        "code": code,
        "shipped": about,
        "metric": metric,
        "pool": pool,
        "place": place,
        "version": version,
        "spec": spec if isinstance(spec, dict) else dict(about.spec),
        "history": versions.order_by("-version"),
        "pools": visible_pools(user),
        "may": rights.may(user, rule_store.RIGHT, rights.EVERYTHING),
        "right": rights.said(rule_store.RIGHT),
    }


def contact_page(user: User) -> dict[str, Any]:
    pools, may = visible_pools(user), may_change_contacts(user)
    seen = Q(pool__in=pools) | Q(pool=None) if may or pools.exists() else Q(pk__in=[])
    rows = list(contacts.standing().filter(seen))
    last = {row.pk: row.deliveries.order_by("-created_at").first() for row in rows}
    return {
        "shown": [
            {
                "row": row,
                "last": delivery(one) if (one := last[row.pk]) else None,
                "hook": row.kind == signing.KIND,
                "secret": signing.version(row) if row.signs else "",
            }
            for row in rows
        ],
        "secret_hours": signing.HOURS,
        "may": may,
        "none": not contacts.standing().exists(),
        "right": rights.said(contacts.RIGHT),
        "pools": pools,
        "kinds": contacts.kinds(),
        "linked": bool(settings.PUBLIC_URL),
        "severities": Contact.Severity.choices,
    }


def silence_page(user: User, now: datetime) -> dict[str, Any]:
    rows = silences.shown_to(user)
    return {
        "standing": [_silence(row) for row in rows.filter(ended_at=None, ends_at__gt=now).order_by("ends_at")],
        "over": [_silence(row) for row in rows.exclude(ended_at=None, ends_at__gt=now)[:OVER_MOST]],
        "pools": pools_with(user, "hold_rollout"),
        "whats": what_choices(),
        "hours": (1, 4, 8, 24, 72, 168),
        "everywhere": silences.may(user, None),
    }


def _silence(row: Silence) -> dict[str, Any]:
    return {"row": row, "what": dict(what_choices()).get(row.what, row.what) or "All alerts"}


def what_choices() -> list[tuple[str, str]]:
    return [*((code, shipped.title) for code, shipped in DEFAULTS.items()), *own.titles(), *KINDS.items()]


def silence_for(user: User, silence_id: int) -> Silence:
    row = silences.shown_to(user).filter(pk=silence_id).first()
    if row is None:
        raise Http404(f"There is no silence {silence_id}, or you may not see its pool.")
    return row


def nothing_is_judged() -> bool:
    """The collector is off, and nobody else tells of any gateway."""
    wish = collect.Settings.read()
    return not wish.every and not outside.elsewhere(wish, ())
