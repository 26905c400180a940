"""Which Prometheus is asked about a pool: set, changed and dropped by who may enrol its gateways, on the record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from django.db import transaction

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet import sealed
from fleet.models import Pool, PrometheusSource
from fleet.prometheus import promql

RIGHT = "fleet.enrol_gateway"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
TOKEN = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True)
class Wish:
    """`token`: None leaves the one that is there, "" forgets it. `queries`: column → PromQL, "" for ours."""

    name: str
    url: str
    label: str = "instance"
    token: str | None = None
    queries: Mapping[str, str] = field(default_factory=dict)


def save(wish: Wish, pool: Pool, *, by: User, actor: Actor, now: datetime) -> PrometheusSource:
    """Ask this server about the pool from now on. Refused says what can't be used; the same again changes nothing."""
    demand(by, pool)
    refuse_bad(wish, pool)
    queries = {column: text.strip() for column, text in wish.queries.items() if text.strip()}
    columns = {"name": wish.name, "url": wish.url.rstrip("/"), "label": wish.label, "queries": queries}
    before = PrometheusSource.objects.filter(pool=pool).first()
    if before and wish.token is None and all(getattr(before, name) == value for name, value in columns.items()):
        return before
    with transaction.atomic():
        # What an older server said is no news of this one.
        fresh = {"pool": pool, **columns, "say": "", "answered_at": 0.0, "asked_at": 0.0}
        source, _ = PrometheusSource.objects.update_or_create(pool=pool, defaults=fresh)
        if before and before.name != source.name:
            _move_token(before.name, source.name)
        if wish.token:
            sealed.seal(_credential(source.name), wish.token.encode(), now=now)
        elif wish.token is not None:
            sealed.drop(_credential(source.name))
        kept = "as before" if wish.token is None else "another" if wish.token else "none"
        _note("prometheus.set", source, actor=actor, now=now, details={**columns, "token": kept})
    return source


def drop(source: PrometheusSource, *, by: User, actor: Actor, now: datetime) -> None:
    """Ask it no more; its token is forgotten, what it said stays until it is old."""
    demand(by, source.pool)
    with transaction.atomic():
        sealed.drop(_credential(source.name))
        if PrometheusSource.objects.filter(pk=source.pk).delete()[0]:
            _note("prometheus.dropped", source, actor=actor, now=now, details={"url": source.url})


def demand(by: User, pool: Pool) -> None:
    if not rights.may(by, RIGHT, f"pool:{pool.pk}"):
        raise Refused(f"You may not say what is asked about {pool.name}: you lack the right “May enrol gateways”.")


def refuse_bad(wish: Wish, pool: Pool) -> None:
    """Refused with the first thing that is wrong."""
    if not NAME.fullmatch(wish.name):
        raise Refused(f"“{wish.name[:70]}” is no name: small letters, digits and hyphens, at most 60.")
    if PrometheusSource.objects.filter(name=wish.name).exclude(pool=pool).exists():
        raise Refused(f"Another pool has a Prometheus called {wish.name}.")
    if not _is_url(wish.url):
        raise Refused("The address must be http://HOST or https://HOST, without a user, a query or a fragment in it.")
    if not promql.LABEL.fullmatch(wish.label):
        raise Refused(f"“{wish.label[:70]}” is no name of a label.")
    if wish.token and not TOKEN.fullmatch(wish.token):
        raise Refused("The token has a space in it, or is longer than 4,096 characters.")
    if strange := sorted(set(wish.queries) - set(promql.METRICS)):
        raise Refused(f"There is no metric {strange[0][:60]}.")
    for column, text in wish.queries.items():
        if text.strip() and ("{gateway}" not in text or len(text) > promql.QUERY_MOST):
            title = promql.METRICS[column].title
            raise Refused(
                f"The query for “{title}” needs {{gateway}} in it, and at most {promql.QUERY_MOST} characters."
            )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it raises for what is no port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    clean = len(text) <= 300 and all("!" <= letter <= "~" for letter in text)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain and clean


def _move_token(old: str, new: str) -> None:
    if (token := sealed.unseal_or_none(_credential(old))) is not None:
        sealed.seal(_credential(new), token)
        sealed.drop(_credential(old))


def _credential(name: str) -> str:
    return f"prometheus:{name}"


def _note(verb: str, source: PrometheusSource, *, actor: Actor, now: datetime, details: Mapping[str, object]) -> None:
    audit.append(verb, subject=f"pool:{source.pool_id}", actor=actor, at=now, details=dict(details))
