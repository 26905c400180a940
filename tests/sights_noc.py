"""Rows for what users lose and say: a quiet loss on a gateway, and complaints."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from fleet.models import Gateway, QuietLoss, QuietWatch
from fleet.quiet import journal, words
from fleet.quiet.detect import Judged, Score
from fleet.quiet.shapes import Shape
from tests import factories

RELEASE = "1.5.0-1"
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
