"""Rows for what users lose and say: a quiet loss on a gateway, and complaints."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from approvals.models import Actor
from fleet.models import Gateway, QuietLoss, QuietWatch, Ticket
from fleet.quiet import journal, words
from fleet.quiet.detect import Judged, Score
from fleet.quiet.shapes import Shape
from fleet.tickets import journal as tickets
from fleet.tickets import services
from fleet.tickets.proofs import Proven
from tests import factories

RELEASE = "1.3.0-2"
ALL = {
    "memory": [9.4, 5.0, 0.31],
    "files": [1.2, 5.0, 0.02],
    "cpu": [2.1, 5.0, 0.08],
    "rtt": [0.4, 5.0, -0.01],
    "retransmissions": [1.7, 5.0, 0.11],
    "length": [0.9, 5.0, -0.05],
}


def quiet() -> int:
    """Returns a gateway whose release leaks, with one loss that ended; the fleet's others are well."""
    now = datetime.now(UTC)
    begin = int(time.time()) - 10 * 3600
    gateway = Gateway.objects.filter(name="fra-gw-01").first() or factories.fleet()[0]
    about = {"slot": 2, "release": RELEASE, "begin": begin, "looked_at": time.time() - 900, "measures": ALL}
    watch = QuietWatch.objects.create(gateway=gateway, **about, found=["memory"], against="pool")
    for name, grows, change, at in (("rtt", False, 0.22, now - timedelta(hours=5)), ("memory", True, 0.031, now)):
        for open_one in QuietLoss.objects.filter(gateway=gateway, ended_at=None):
            journal.end(open_one, why=journal.GONE, now=at)
        total = change * (9 if grows else 1)
        score = Score(name, 9.4, 5.0, Shape(begin + 2400, grows), change, total)
        judged = Judged([score], [score], against="pool", controls=6)
        say = words.sentence(words.Place(gateway.name, RELEASE, begin), [score], judged, at)
        journal.find(watch, journal.Found(score, say), now=at)
    return gateway.pk


def complaints() -> int:
    """Returns a gateway with complaints from a system and by hand; one is closed, one nobody could place."""
    now = datetime.now(UTC)
    gateway = Gateway.objects.filter(name="fra-gw-01").first() or factories.fleet()[0]
    people = factories.cast()
    by, actor = people["operator"], Actor(kind="person", name="operator", user_id=people["operator"].pk)
    lines = "id = number\nuser = caller.login\ntext = notes"
    wish = services.Wish("noc-desk", "json", gateway.pool, lines)
    source, _ = services.add_source(wish, by=by, actor=actor, why="The desk of the NOC", now=now)
    told = (("INC-4711", "a.lovelace", "Calls break off every few minutes."), ("INC-4712", "g.hopper", "No address."))
    body = [{"number": number, "caller": {"login": user}, "notes": notes} for number, user, notes in told]
    services.take(Proven(source), body, now=now - timedelta(minutes=25))
    first, second = Ticket.objects.filter(source=source).order_by("external_id")
    where = {"gateway": gateway, "slot": 2, "release": RELEASE, "found": Ticket.Found.SESSION}
    tickets.place(first, where, now=now)
    tickets.place(second, {"found": Ticket.Found.NOWHERE}, now=now)
    tickets.close(second, actor=actor, now=now)
    said = {"user": "k.zuse", "address": "198.51.100.7", "text": "The sign-in takes a minute."}
    services.report(gateway, said, by=by, actor=actor, now=now)
    return gateway.pk
