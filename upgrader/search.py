"""Search everywhere: by name, address, number and the beginning of a digest. Reads only, at most QUERIES_MOST times.

Each kind comes from the list of what the person may see, so the search finds nothing that its pages would not show.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, Q
from django.urls import reverse

from approvals import rights
from approvals.models import AuditEvent, User
from approvals.story import tell
from fleet.models import Alert, Gateway
from fleet.selectors import gateways_for, visible_pools
from releases.models import ConfigRevision, Release
from upgrader import selectors
from upgrader.search_rank import Found, Wish, ranked
from upgrader.states import R
from upgrader.words import ROLLOUT

QUERIES_MOST = 6
EACH = 20  # rows of a kind
MOST = 40
PLACES = (
    ("Needs me", "overview", ("inbox", "overview", "start")),
    ("Rollouts", "rollouts", ()),
    ("Plan a rollout", "rollout-new", ("new rollout",)),
    ("Releases", "releases", ()),
    ("Test matrix", "matrix", ()),
    ("Gateways", "gateways", ()),
    ("Alerts", "alerts", ()),
    ("Bounds", "bounds", ("freezes", "windows", "budgets")),
    ("Changes", "changes", ("approvals",)),
    ("Configurations", "configs", ("ocserv.conf",)),
    ("Signers", "signers", ("trust",)),
    ("Strategies", "strategies", ()),
    ("Complaints", "tickets", ("tickets",)),
    ("Keys", "keys", ()),
)


def search(user: User, text: str) -> list[Found]:
    """What fits, the best first; nothing for an empty text.

    A number is none of a release, an alert or a person, and the digest of an event is no gateway's name: what can't fit
    is not asked for.
    """
    wish = Wish(" ".join(text.split())[:80])
    if not wish.text:
        return []
    events = list(_events(user, wish)) if wish.number is not None or wish.digest else []
    found = [*_places(), *events, *_rollouts(user, wish), *_configs(user, wish)]
    if not (events and wish.digest):
        found += _gateways(user, wish)
    if wish.number is None or wish.digest:
        found += _releases(user, wish)
    if wish.number is None and not wish.digest:
        found += [*_alerts(user, wish), *_people(user, wish)]
    return ranked(wish, found, most=MOST)


def _named(wish: Wish, *columns: str) -> Q:
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__icontains": wish.word})
    return found


def _begins(wish: Wish, *columns: str) -> Q:
    """Digests that begin so; nothing where it can't be a digest."""
    found = Q(pk__in=[])
    for column in columns if wish.digest else ():
        found |= Q(**{f"{column}__startswith": wish.digest})
    return found


def _places() -> Iterator[Found]:
    for title, name, more in PLACES:
        yield Found("page", title, reverse(name), names=(title, *more))


def _rollouts(user: User, wish: Wish) -> Iterator[Found]:
    wanted = _named(wish, "release__name", "pool__name", "created_by__username") | _begins(wish, "digest")
    for row in selectors.rollouts_for(user).filter(wanted | Q(pk=wish.number or 0)).order_by("-pk")[:EACH]:
        title = f"Rollout {row.pk}: {row.release.product} {row.release.name} to {row.pool.name}"
        say = f"{ROLLOUT[R(row.state)].say}, asked for by {row.created_by.get_username()}"
        names = (f"rollout {row.pk}", row.release.name, row.pool.name, row.created_by.get_username())
        yield Found("rollout", title, reverse("rollout", args=[row.pk]), say, names, (row.digest,), row.pk)


def _gateways(user: User, wish: Wish) -> Iterator[Found]:
    wanted = _named(wish, "name", "address", "public_address", "group", "pool__name", "release")
    rows = gateways_for(user).filter(wanted).defer("facts", "inventory", "config").order_by("name")
    for row in rows[:EACH]:
        say = f"{row.pool.name}, {row.release or 'release unknown'}, {row.address}"
        left = ", left the fleet" if row.state == Gateway.State.LEFT else ""
        names = (row.name, row.address, row.public_address, row.group, row.pool.name, row.release)
        yield Found("gateway", row.name, reverse("gateway", args=[row.pk]), say + left, names)


def _releases(user: User, wish: Wish) -> Iterator[Found]:
    wanted = _named(wish, "name", "version", "product") | _begins(wish, "digest", "sha256")
    rows = Release.objects.filter(Exists(visible_pools(user))).filter(wanted)
    for row in rows.defer("manifest", "sums", "changelog", "contents").order_by("-counter")[:EACH]:
        say = f"{row.channel}, {'withdrawn' if row.state == Release.State.YANKED else 'ready'}"
        title, names = f"{row.product} {row.name}", (row.name, row.version, row.product)
        yield Found("release", title, reverse("release", args=[row.pk]), say, names, (row.digest, row.sha256), row.pk)


def _configs(user: User, wish: Wish) -> Iterator[Found]:
    wanted = _named(wish, "pool__name", "gateway__name", "note") | _begins(wish, "sha256") | Q(number=wish.number or 0)
    rows = ConfigRevision.objects.filter(wanted, pool__in=visible_pools(user)).select_related("pool", "gateway")
    for row in rows.defer("masked").order_by("-made_at")[:EACH]:
        place = row.gateway.name if row.gateway else row.pool.name
        title = f"Configuration {row.number} of {place}"
        names = (f"config {row.number}", f"configuration {row.number}", place, row.pool.name, row.note)
        yield Found("config", title, reverse("config", args=[row.pk]), row.state, names, (row.sha256,), row.number)


def _alerts(user: User, wish: Wish) -> Iterator[Found]:
    mine = visible_pools(user)
    seen = Q(pool__in=mine) | Q(gateway__pool__in=mine)
    rows = Alert.objects.filter(seen).filter(_named(wish, "say", "gateway__name", "code")).select_related("gateway")
    for row in rows.order_by("-since")[:EACH]:
        over = "over" if row.ended_at else "open"
        names = (row.say, row.gateway.name if row.gateway else "", row.code)
        yield Found(
            "alert", row.say, _of_alert(row), f"{over}, since {row.since:%Y-%m-%d %H:%M} UTC", names, (), row.pk
        )


def _of_alert(row: Alert) -> str:
    """Drift has a page of its own; a call leads to where it is decided."""
    if row.gateway_id and row.code and not row.subject:
        return reverse("alert", args=[row.pk])
    return row.link or reverse("alert-told", args=[row.pk])


def _people(user: User, wish: Wish) -> Iterator[Found]:
    """Names of people stand on every rollout: who may see a pool may find them."""
    people = User.objects.filter(Exists(visible_pools(user)), is_active=True)
    for row in people.filter(_named(wish, "username", "first_name", "last_name")).order_by("username")[:EACH]:
        name = row.get_username()
        yield Found("person", name, f"{reverse('people')}?q={name}", row.get_full_name(), (name, row.get_full_name()))


def _events(user: User, wish: Wish) -> Iterator[Found]:
    """Events by number and by the beginning of their hash, for who may read the record."""
    wanted: Any = Q(seq=wish.number or 0)
    if wish.digest:
        # A range and not a pattern: both databases take the unique index for it.
        wanted |= Q(hash__gte=wish.digest, hash__lt=f"{wish.digest}g")
    rows = list(AuditEvent.objects.filter(wanted).order_by("-seq")[:EACH])
    if not rows or not rights.everywhere(user, "approvals.view_auditevent"):
        return
    for row in rows:
        told = tell(row)
        title = f"Event {row.seq}: {told.about}, {told.what}"
        link = f"{reverse('audit')}?before={row.seq + 1}#e{row.seq}"
        say = f"{told.who}, {row.at:%Y-%m-%d %H:%M:%S} UTC"
        yield Found("event", title, link, say, (f"event {row.seq}",), (row.hash,), row.seq)
