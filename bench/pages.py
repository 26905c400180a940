"""`script/bench pages`: how long each page takes with 1,000 and with 10,000 gateways, and how soon a change is seen.

PostgreSQL and Redis are private ones. Pages are asked one after the other from the web process as script/serve runs it,
with a session over loopback, so their times have the network and the whole of Django in them. Queries are counted in
this process, on the same code and the same rows. The pages are those of upgrader/urls.py: a new one is in it by itself.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.crowd import told
from bench.intake import begin

SIZES = "1000,10000"
ROUNDS = 20
NOT_PAGES = ("sign-out", "metrics", "readyz")  # ends the session; wants a token; speaks of more than this process
FOUND = (200, 204)
RECORD = {
    "audit-action": "verb=upgrade.moved",
    "audit-rare-action": "verb=rollout.drafted",
    "audit-nobody": "actor=nobody-at-all",
    "audit-gateway": "gateway=gw-00077",
    "audit-rollout": "rollout=7",
    "audit-hour": "since=2026-01-03T10:00&until=2026-01-03T11:00",
    "audit-never-met": "gateway=gw-00077&actor=nobody-at-all",
}
"""Filters of the record's page: often, seldom and never met."""


def measured(state: Path, addresses: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """One size, in a process of its own."""
    begin(state, addresses)
    # Django is set up by now, and not before.
    from bench import pages_live, pages_rows, web  # noqa: PLC0415

    began = time.monotonic()
    size = {"gateways": options.gateways, "rollouts_of": options.rollouts, "events": options.events}
    user, rollouts = pages_rows.world(state, **size)
    told(f"{options.gateways} gateways, {options.events:,} events: made in {time.monotonic() - began:.0f} s")
    session = pages_rows.session_of(user)
    paths = dict(pages(rollouts[pages_rows.WAITING].pk))
    queries = {name: asked(session, path) for name, path in paths.items()}
    found: dict[str, Any] = {"gateways": options.gateways}
    with web.site() as (pid, port):
        times = {name: timed(port, session, path, rounds=options.rounds) for name, path in paths.items()}
        found |= worst(times, queries)
        if options.streams:
            place = pages_live.Place(port, session, rollouts[pages_rows.WAITING], user)
            found |= pages_live.measured(place, pid=pid, streams=options.streams)
    return found


def pages(rollout: int) -> Iterator[tuple[str, str]]:
    """Name and path of every page and part that a GET can ask for, with the rows that are there put in."""
    from django.urls import URLPattern, reverse  # noqa: PLC0415 - as above

    from fleet.models import Gateway, Pool  # noqa: PLC0415
    from releases.models import Release  # noqa: PLC0415
    from upgrader.models import Strategy  # noqa: PLC0415
    from upgrader.urls import urlpatterns  # noqa: PLC0415

    ids = {"rollout_id": rollout, "strategy_id": Strategy.objects.earliest("pk").pk, "place": 0}
    for model in (Gateway, Pool, Release):
        ids[f"{model._meta.model_name}_id"] = model.objects.earliest("pk").pk
    for pattern in urlpatterns:
        if not isinstance(pattern, URLPattern) or not pattern.name or pattern.name in NOT_PAGES:
            continue
        wanted = pattern.pattern.converters
        if wanted.keys() <= ids.keys():
            yield pattern.name, reverse(pattern.name, kwargs={name: ids[name] for name in wanted})
    yield from ((name, f"{reverse('audit')}?{query}") for name, query in RECORD.items())
    yield "search", f"{reverse('search')}?q=gw-00077"


def asked(session: str, path: str) -> int:
    """The queries of one GET; 0 for what is no page."""
    from django.conf import settings  # noqa: PLC0415 - as above
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    client = Client(headers={"host": "127.0.0.1"})
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    client.get(path)
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(path)
    return len(seen) if answer.status_code in FOUND else 0


def timed(port: int, session: str, path: str, *, rounds: int) -> list[float]:
    """Milliseconds of each GET over one kept connection, sorted; empty for what is no page."""
    from django.conf import settings  # noqa: PLC0415 - as above

    link = HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for number in range(rounds + 1):
        began = time.perf_counter()
        link.request("GET", path, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"})
        answer = link.getresponse()
        answer.read()
        if answer.status not in FOUND:
            return []
        if number:  # the first one compiles templates and fills caches
            took.append(1000 * (time.perf_counter() - began))
    link.close()
    return sorted(took)


def p95(sorted_ms: Sequence[float]) -> float:
    return sorted_ms[min(len(sorted_ms) - 1, int(0.95 * len(sorted_ms)))]


def worst(times: dict[str, list[float]], queries: dict[str, int]) -> dict[str, Any]:
    seen = {name: round(p95(took), 1) for name, took in times.items() if took}
    slowest = sorted(seen, key=lambda name: -seen[name])
    most = max(seen, key=lambda name: queries[name])
    return {
        "pages": len(seen),
        "worst_page": slowest[0],
        "worst_page_p95_ms": seen[slowest[0]],
        "slow_pages_p95_ms": {name: seen[name] for name in slowest[:8]},
        "most_queries": queries[most],
        "most_queries_of": most,
        "queries": {name: queries[name] for name in seen},
        "no_page": sorted(times.keys() - seen.keys()),
    }


def grown(small: dict[str, Any], big: dict[str, Any]) -> list[str]:
    """Pages that ask more questions where there is more: none, or something asks in a loop."""
    before = small["queries"]
    return sorted(name for name, count in big["queries"].items() if count > before.get(name, count))


def alone(addresses: dict[str, str], options: argparse.Namespace, gateways: int, streams: int) -> dict[str, Any]:
    """Measure one size in a process of its own: settings, and with them the database, are read once."""
    words = {"gateways": gateways, "rollouts": options.rollouts, "events": options.events}
    words |= {"rounds": options.rounds, "streams": streams}
    argv = [sys.executable, "-c", "import sys; from bench.pages import part; sys.exit(part(sys.argv[1:]))"]
    done = subprocess.run(
        [*argv, json.dumps(addresses), json.dumps(words)], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{gateways} gateways could not be measured.")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def part(argv: Sequence[str]) -> int:
    """What `alone` runs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        print(json.dumps(measured(Path(name), json.loads(argv[0]), argparse.Namespace(**json.loads(argv[1])))))
    return 0


def bench(options: argparse.Namespace) -> dict[str, Any]:
    from lab import servers  # noqa: PLC0415 - needs PostgreSQL's programs

    sizes = [int(word) for word in options.sizes.split(",")]
    rows = []
    for size in sizes:
        with servers.both() as addresses:
            rows.append(alone(addresses, options, size, options.streams if size == sizes[-1] else 0))
    big = rows[-1]
    found = {name: value for name, value in big.items() if name not in ("queries", "gateways")}
    found["queries_grow"] = grown(rows[0], big)
    found["worst_p95_ms_by_gateways"] = {row["gateways"]: row["worst_page_p95_ms"] for row in rows}
    if options.streams:
        from bench import pages_stop  # noqa: PLC0415

        found |= pages_stop.measured(options.streams)
    return found


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench pages", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--sizes", default=SIZES, help="gateways of each fleet, with commas (%(default)s)")
    parser.add_argument("--rollouts", type=int, default=100)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the record")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="that each page is asked")
    parser.add_argument("--streams", type=int, default=200, help="open pages; 0 measures times and queries only")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parser.parse_args(argv)
    try:
        found = bench(options)
    except RuntimeError as reason:
        print(reason, file=sys.stderr)
        return 1
    print(json.dumps(found) if options.json else "\n".join(f"{name:28} {value}" for name, value in found.items()))
    return 0
