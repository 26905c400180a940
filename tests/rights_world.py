"""Two pools with one of everything, and a person for each role: what tests/web/test_rights_walk.py asks about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from approvals import people_journal
from approvals.models import Actor, ApproverKey, Cover, Request, Shift, User
from approvals.roles import CHANNEL, EVERYTHING, POOL
from fleet.gateways.holdings import CONF
from fleet.models import (
    Alert,
    Balancer,
    Channel,
    Contact,
    Errand,
    Gateway,
    KeyRotation,
    Pool,
    ProbeHost,
    PrometheusSource,
    Silence,
    Ticket,
    TicketSource,
)
from releases import configs
from releases.models import ChannelPolicy, Downgrade, MatrixCell, MatrixRun, Release, TrustedSigner, TrustStatement
from tests import factories
from tests.scenes import scene
from upgrader.models import Freeze, WebhookEndpoint, Window
from upgrader.rights_table import HOLDERS, Holder

MACHINE = Actor.machine("tests")
OWN, FOREIGN = "eu-west", "us-east"


@dataclass
class Place:
    """One pool's objects. `at`: what stands in addresses, by its name; `of`: where a route means another."""

    pool: Pool
    at: dict[str, Any] = field(default_factory=dict)
    of: dict[str, dict[str, Any]] = field(default_factory=dict)

    def parts(self, route: str) -> dict[str, Any]:
        return self.at | self.of.get(route, {})


@dataclass
class World:
    own: Place
    foreign: Place
    people: list[tuple[Holder, User]]


def build() -> World:
    for channel in Channel.values:
        ChannelPolicy.objects.get_or_create(channel=channel)
    places = [_place(name) for name in (OWN, FOREIGN)]
    for place in places:
        place.at |= _shared()
        of = {row.channel: row.pk for row in Release.objects.all()}
        place.of |= {name: {"release_id": of["staging"]} for name in ("downgrade-text", "downgrade-sign")}
        place.of |= {"record-file": {"form": "csv"}, "rule-change": {"place": 0}}
        place.of |= {"downgrade-draw": {"release_id": of["staging"]}, "release-pass": {"release_id": of["candidate"]}}
        place.of |= _webhook(place)
    own = places[0]
    return World(own, places[1], [(holder, _person(holder, own.pool)) for holder in HOLDERS])


def _webhook(place: Place) -> dict[str, dict[str, Any]]:
    """Who is told of the pool's events, and one that was not brought."""
    about = {"events": ["rollout.done"], "after": 0, "made_by": User.objects.first(), "made_at": factories.NOON}
    made = WebhookEndpoint.objects.create(name=f"calendar of {place.pool.name}", hint="x", pool=place.pool, **about)
    times = {"due_at": factories.NOON, "created_at": factories.NOON}
    sent = made.deliveries.create(seq=1, event="rollout.done", body="{}", state="failed", **times)
    here = {"webhook_id": made.pk}
    return {"webhook-test": here, "webhook-end": here, "webhook-again": {"delivery_id": sent.pk}}


def _person(holder: Holder, pool: Pool) -> User:
    name = f"{holder.role.name}-{holder.kind}" if holder.role else "nobody-at-all"
    person = User.objects.create(username=name, password=factories.hashed())
    if holder.role:
        staging = ChannelPolicy.objects.get(channel="staging")
        scope = {POOL: f"pool:{pool.pk}", CHANNEL: f"channel:{staging.pk}", EVERYTHING: EVERYTHING}[holder.kind]
        people_journal.give(person, holder.role.name, scope, actor=MACHINE, now=timezone.now(), why="Its role.")
    return person


def _place(name: str) -> Place:
    """A pool with a rollout that is being watched, and one of each thing that belongs to a pool."""
    made, now = scene("observing", on=name), timezone.now()
    pool, by = made.rollout.pool, made.people["operator"]
    gateway = pool.gateways.order_by("name")[0]
    details = {"sha256": "0" * 64, "diff": ""}
    said = {"say": f"{name}: ocserv.conf was edited.", "since": now, "details": details}
    alert = Alert.objects.create(gateway=gateway, kind="drift", code="conf", **said)
    due = {"due_at": now, "created_at": now, "state": "failed", "say": "It said no."}
    errand = Errand.objects.create(gateway=gateway, kind="trust", subject="trust:1", **due)
    when = {"made_by": by, "made_at": now}
    rules = [{"days": ["mon"], "from": "22:00", "until": "04:00"}]
    freeze = Freeze.objects.create(pool=pool, reason=f"Fair at {name}", starts_at=now + timedelta(days=9), **when)
    window = Window.objects.create(pool=pool, title=f"Nights of {name}", zone="UTC", rules=rules, **when)
    lasts = {"begins_at": now, "ends_at": now + timedelta(hours=8), "made_by": by}
    silence = Silence.objects.create(what="memory", pool=pool, reason=f"Known at {name}", **lasts)
    at = {"rollout_id": made.rollout.pk, "strategy_id": made.rollout.strategy_id, "gateway_id": gateway.pk}
    at |= {"pool_id": pool.pk, "place": pool.pk, "freeze": freeze.pk, "window": window.pk, "alert_id": alert.pk}
    at |= {"errand_id": errand.pk, "silence_id": silence.pk, "release_id": made.rollout.release_id}
    place = Place(pool, at | {"other_id": made.rollout.release_id})
    _told(place, alert, by)
    _outside(place, gateway, by)
    _config(place, by)
    return place


def _told(place: Place, alert: Alert, by: User) -> None:
    """A contact of the pool, and a message that did not reach it; a complaint and who reports such."""
    now, name = timezone.now(), place.pool.name
    about = {"hint": f"{name}@example.org", "made_by": by, "made_at": now}
    contact = Contact.objects.create(name=f"Desk of {name}", kind="mail", pool=place.pool, **about)
    sent = contact.deliveries.create(alert=alert, what="opened", state="failed", due_at=now, created_at=now)
    about = {"token_sha256": "0" * 64, "added_by": "operator", "added_at": now}
    source = TicketSource.objects.create(name=f"noc-{name}", kind="json", pool=place.pool, **about)
    about = {"reported_at": now, "received_at": now, "reported_by": "operator", "text": f"Calls break at {name}."}
    ticket = Ticket.objects.create(pool=place.pool, source=source, external_id="1", **about)
    place.at |= {"contact_id": contact.pk, "delivery_id": sent.pk, "ticket_id": ticket.pk, "source_id": source.pk}


def _outside(place: Place, gateway: Gateway, by: User) -> None:
    """What stands beside the gateways, and a person who looks at the pool."""
    name, key = place.pool.name, {"key_kind": "ssh-ed25519", "key": "AAAA"}
    where = {"address": "192.0.2.40", "seen_from": "192.0.2.40"}
    host = ProbeHost.objects.create(name=f"probe-{name}", pool=place.pool, **where, **key)
    source = PrometheusSource.objects.create(name=f"prom-{name}", pool=place.pool, url="https://prom.example.org")
    Balancer.objects.create(name=f"front-{name}", pool=place.pool)
    person = User.objects.create(username=f"looks-{place.pool.pk}", password="!")
    scope = f"pool:{place.pool.pk}"
    people_journal.give(person, "viewer", scope, actor=MACHINE, now=timezone.now(), why="Its role.")
    place.at |= {"row": _on_call(place).pk, "kind": "cover"}
    place.at |= {"host_id": host.pk, "person_id": person.pk, "user_id": person.pk}
    place.of["prometheus-drop"] = {"source_id": source.pk}


def _on_call(place: Place) -> Cover:
    """Somebody covers the pool on another day: the role counts at all times but then."""
    now, by = timezone.now(), factories.cast()["operator"]
    about = {"scope": f"pool:{place.pool.pk}", "why": "Away.", "made_by": by, "made_at": now, "taken": True}
    begins = now - timedelta(days=9)
    made = Cover.objects.create(person=by, begins_at=begins, ends_at=begins + timedelta(days=1), **about)
    week = {"days": ["mon"], "start": "08:00", "until": "16:00", "zone": "UTC", "ended_at": now}
    del about["why"], about["taken"]
    Shift.objects.create(pk=made.pk, person=by, **about, **week)
    return made


def _config(place: Place, by: User) -> None:
    """A configuration that waits for a second person."""
    first, where = CONF + "key-pin = 4711\n", configs.Place(place.pool)
    for gateway in place.pool.gateways.all():
        gateway.facts = {**gateway.facts, "conf": {"agreed_sha256": configs.digest(first)}}
        gateway.save(update_fields=["facts"])
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    configs.propose(where, first, note="As it is", by=by, actor=actor, now=timezone.now())
    changed = first.replace("dpd = 60", "dpd = 90") + "connect-script = /usr/local/sbin/welcome\n"
    row = configs.propose(where, changed, note="Greet users", by=by, actor=actor, now=timezone.now())
    asked = Request.objects.get(kind=configs.KIND, subject=configs.subject(row))
    place.at |= {"config_id": row.pk, "change_id": asked.pk}


def _shared() -> dict[str, Any]:
    """What belongs to no pool; made once."""
    now, people = timezone.now(), factories.cast()
    by = people["operator"]
    key = {"public_key": "ssh-ed25519 AAAA", "fingerprint": "SHA256:x", "added_at": now}
    keys = ApproverKey.objects.filter(user=by).first() or ApproverKey.objects.create(user=by, **key)
    text = {"keys": [], "text": "{}", "signatures": []}
    rotation = KeyRotation.objects.first() or KeyRotation.objects.create(
        kind="ssh-key", both=text, only=text, begun_at=now, since=now
    )
    signer = TrustedSigner.objects.get()
    old = {"threshold": 1, "group": "", "signers": []}
    TrustStatement.objects.get_or_create(
        serial=1, defaults={"text": "{}", "old": old, "drawn_at": now, "expires_at": now + timedelta(days=9)}
    )
    shared = {"key_id": keys.pk, "rotation_id": rotation.pk, "signer_id": signer.pk, "serial": 1}
    words = {"channel": "staging", "panel": "rtt", "key": "sessions", "code": "memory", "stage": "both"}
    acts = {"act": "finish", "answer": "approve", "form": "json", "what": "link", "action": "adopt"}
    return shared | words | acts | {"cell_id": _cell().pk, "delegation_id": 1}


def _cell() -> MatrixCell:
    found = MatrixCell.objects.first()
    if found is not None:
        return found
    release = factories.release("1.4.0-1", channel="staging", counter=1_004_000)
    candidate = factories.release("1.5.0-1", channel="candidate", counter=1_005_000)
    at = timezone.now()
    about = {"text": "{}", "drawn_at": at, "expires_at": at + timedelta(days=1)}
    for row in (release, candidate):
        Downgrade.objects.create(release=row, drawn_by=factories.cast()["operator"], **about)
    run = MatrixRun.objects.create(release=release, part="stress", state="done", started_at=at, ended_at=at)
    return MatrixCell.objects.create(run=run, test="login speed", verdict="green", say="As fast as before.")
