"""The rows of `script/bench pages`: a fleet by pools, rollouts in their states, and a record of a million events."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm

from approvals.chain import canonical, leaf, moment
from approvals.models import Actor, AuditEvent, EventAbout, User
from bench import crowd_rows
from fleet.models import Channel, Gateway, Pool
from lab.demo import simulated
from releases.models import Release
from upgrader import services
from upgrader.models import Rollout, Strategy, Upgrade, Wave
from upgrader.states import R, U, W

OURS = ("approvals", "fleet", "releases", "upgrader")
WAITING, RUNNING = 10, 10  # of the rollouts; the others are done
SLOTS = 2
DAYS = 400.0  # that the record reaches back


def reader() -> User:
    """One with every right on everything: nothing is left out of a page for want of one."""
    user = User.objects.create(username="reads-all")
    user.user_permissions.add(*Permission.objects.filter(content_type__app_label__in=OURS))
    return user


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["session"].value


def facts(name: str, at: datetime, sessions: int) -> dict[str, Any]:
    """As the gateway program says them."""
    since = at.timestamp() - 86400
    slots = [
        {"slot": slot, "state": "serving" if slot == 1 else "idle", "release": simulated.OLD if slot == 1 else ""}
        | {"version": "1.1.6" if slot == 1 else "", "pid": 400 + slot, "sessions": sessions if slot == 1 else 0}
        | {"weight": 100 if slot == 1 else 0, "since": since, "restarts": 0}
        for slot in range(1, SLOTS + 1)
    ]
    said = {"ocgate": "0.1.0", "protocol": 1, "hostname": name, "now": at.timestamp(), "kernel": "6.1.0-38-amd64"}
    said |= {"committed": {"slot": 1, "release": simulated.OLD}, "slots": slots, "releases": []}
    return said | {"disk": {"free": 21_400_000_000, "total": 40_000_000_000}, "conf": {"path": "x", "changed": False}}


def fleet(gateways: int, pools: int, by: User) -> list[Pool]:
    """So many gateways, evenly over so many pools, with users on each."""
    now, dice = timezone.now(), random.Random(1)
    places = [Pool.objects.create(name=f"pool-{number:03}", channel=Channel.CANDIDATE) for number in range(pools)]
    common = {"release": simulated.OLD, "facts_at": now, "inventory_at": now}
    rows = []
    for number in range(gateways):
        name, sessions = f"gw-{number:05}", dice.randrange(200)
        about = {"address": f"{name}.example.net", "sessions": sessions, "facts": facts(name, now, sessions)}
        rows.append(Gateway(name=name, pool=places[number % pools], **common, **about))
    Gateway.objects.bulk_create(rows, batch_size=1000)
    for place in places:
        for right in ("submit_rollout", "approve_rollout", "hold_rollout", "view_pool", "promote_rollout"):
            assign_perm(right, by, place)
    return places


def rollouts(places: list[Pool], release: Release) -> list[Rollout]:
    """One a pool: some wait for approval, some run, the others are done."""
    asks = User.objects.create(username="asks")
    strategy = Strategy.objects.create(name="bench", title="Bench", spec=crowd_rows.SPEC)
    made = []
    for number, place in enumerate(places):
        assign_perm("submit_rollout", asks, place)
        assign_perm("view_pool", asks, place)
        now = timezone.now()
        rollout = services.draft(release=release, pool=place, strategy=strategy, by=asks, now=now)
        if number < WAITING:
            actor = Actor("person", asks.username, asks.pk)
            services.submit(rollout, actor=actor, seen_version=rollout.version, now=now)
        elif number < WAITING + RUNNING:
            running(rollout)
        else:
            done(rollout)
        made.append(rollout)
    return made


def running(rollout: Rollout) -> None:
    """In the middle: a wave that drains, one at work."""
    Rollout.objects.filter(pk=rollout.pk).update(state=R.UPGRADING)
    first, second = Wave.objects.filter(rollout=rollout).order_by("number")[:2]
    Wave.objects.filter(pk=first.pk).update(state=W.PASSED)
    Wave.objects.filter(pk=second.pk).update(state=W.UPGRADING)
    Upgrade.objects.filter(wave=first).update(state=U.DRAINING, from_slot=1, to_slot=2)
    Upgrade.objects.filter(wave=second).update(state=U.UPGRADING, busy=True, from_slot=1, to_slot=2)


def done(rollout: Rollout) -> None:
    Rollout.objects.filter(pk=rollout.pk).update(state=R.DONE)
    Wave.objects.filter(rollout=rollout).update(state=W.PASSED)
    Upgrade.objects.filter(wave__rollout=rollout).update(state=U.DONE, from_slot=1, to_slot=2)


def record(events: int, gateways: int, rollouts: int) -> None:
    """Append so many events behind those that are there, chained like those, in bulk: PostgreSQL's COPY."""
    with transaction.atomic(), connection.cursor() as cursor:
        last = AuditEvent.objects.order_by("-seq").values_list("seq", "hash").first()
        columns = "seq, at, verb, subject, actor, reason, body, prev_hash, hash"
        with cursor.copy(f"COPY {AuditEvent._meta.db_table} ({columns}) FROM STDIN") as out:
            for row in chained(events, last, gateways=gateways, rollouts=rollouts):
                out.write_row(row)
        with cursor.copy(f"COPY {EventAbout._meta.db_table} (event, about) FROM STDIN") as out:
            for pair in about(events, last[0] if last else 0, gateways=gateways, rollouts=rollouts):
                out.write_row(pair)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def chained(
    events: int, last: tuple[int, str] | None, *, gateways: int, rollouts: int
) -> Iterator[tuple[int, datetime, str, str, str, str, str, str, str]]:
    """Rows of the record: moves of rollouts and of their gateways over DAYS."""
    seq, before = last or (0, hashlib.sha256(b"").hexdigest())
    end = datetime.now(UTC)
    machine = {"kind": "machine", "name": "controller", "user_id": None, "ip": "", "request_id": ""}
    for number in range(events):
        at = end - timedelta(days=DAYS * (events - number) / events)
        gateway, rollout = number % gateways, number % rollouts + 1
        verb = "upgrade.moved" if number % 10 else "rollout.moved"
        subject = f"rollout:{rollout}"
        said = {
            "at": moment(at),
            "verb": verb,
            "subject": subject,
            "actor": machine,
            "reason": "Every share is carried.",
        }
        said |= {"details": {"gateway": f"gw-{gateway:05}", "from": "observing", "to": "committing"}}
        body = canonical({**said, "seq": seq + number + 1, "prev": before})
        found = leaf(body)
        yield seq + number + 1, at, verb, subject, "machine:controller", "Every share is carried.", body, before, found
        before = found


def about(events: int, seq: int, *, gateways: int, rollouts: int) -> Iterator[tuple[int, str]]:
    for number in range(events):
        yield seq + number + 1, f"rollout:{number % rollouts + 1}"
        yield seq + number + 1, f"gateway:gw-{number % gateways:05}"


def world(state: Path, *, gateways: int, rollouts_of: int, events: int) -> tuple[User, list[Rollout]]:
    """All of it; who reads, and the rollouts with those that wait first and those that run behind them."""
    user = reader()
    release = crowd_rows.a_release(state / "goods", simulated.NEW[0])
    places = fleet(gateways, rollouts_of, user)
    made = rollouts(places, release)
    record(events, gateways, rollouts_of)
    return user, made
