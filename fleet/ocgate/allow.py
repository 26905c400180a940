"""Which options may change on one person's word. The same list on the controller and on the gateway. Pure.

An option is on it when no value of it can run a program, let somebody in who was kept out or keep him in longer, show
or open a network, move the clients' names or traffic elsewhere, name a file, or hide something from the record. What is
left decides how well a session runs, how many there are, and what it says to its user. These look as harmless and
are not on it:

- cookie-timeout, session-timeout, persistent-cookies, rekey-*: how long a stolen cookie or key is good for;
- max-same-clients, ban-*, max-ban-score, rate-limit-ms, auth-timeout: the brakes on guessing passwords;
- default-domain, dns, split-dns, tunnel-all-dns, proxy-url, route…: where a user's traffic and names go;
- compression: what is compressed before it is encrypted can be guessed from its length;
- log-level, syslog-facility, use-utmp, stats-report-time: what the record sees;
- device, isolate-workers, limit-worker-memory: what a worker that was taken can reach.

idle-timeout and mobile-idle-timeout are on it although they keep a session open: the session's own limits stay.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, List

from . import derive, oddlines, options

ALLOWED: FrozenSet[str] = frozenset(
    (
        "banner",
        "dpd",
        "idle-timeout",
        "keepalive",
        "max-clients",
        "mobile-dpd",
        "mobile-idle-timeout",
        "mtu",
        "net-priority",
        "no-compress-limit",
        "no-udp",
        "output-buffer",
        "ping-leases",
        "pre-login-banner",
        "predictable-ips",
        "rx-data-per-sec",
        "server-drain-ms",
        "switch-to-tcp-timeout",
        "tx-data-per-sec",
    )
)
ODD = "a line that is not plain"


def beyond(old: str, new: str) -> List[str]:
    """What differs and may not change on one person's word, as people are told of it."""
    before, after = _written(old), _written(new)
    places = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    places |= set(options.changed(old, new))
    found = options.names(sorted(place for place in places if place[1] not in ALLOWED))
    # ocserv may read an odd line as another option than it seems to be, so any change around one is judged by two.
    if oddlines.odd_in_place(old) != oddlines.odd_in_place(new):
        found.append(ODD)
    return found


def _written(text: str) -> Dict[options.Place, List[str]]:
    """Each option's values as they stand there: ocserv may see more in quotes and behind a # than we do."""
    found: Dict[options.Place, List[str]] = {}
    for line in derive.parse(text):
        if line.name:
            found.setdefault((line.section, line.name), []).append(line.text.partition("=")[2].strip(" \t"))
    return found
