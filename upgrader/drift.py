"""What was agreed for a gateway, from everywhere where it is written, and the look that compares it with what is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from fleet import agreements, alerts, shipped, stock
from fleet.drift import Agreed, compare, trees_of
from fleet.inventory import Inventory
from fleet.models import Agreement, Errand, Gateway
from releases.models import ConfigRevision, Release
from upgrader import live
from upgrader.flow import INCOMING, OUTGOING
from upgrader.models import Upgrade
from upgrader.run import Opener
from upgrader.states import S, U

CHANGES: dict[str, tuple[str, ...]] = {
    "trust": ("trust",),
    "crl": ("trust",),
    "authorize": ("keys",),
    "upgrade_self": ("ocgate",),
    "configure": ("agreed",),
}
"""Kind of an errand → the parts that it changes: while it is open they are late, not drifted. What puts drift back is
not here: the drift is there until it is gone."""


def look(gateway: Gateway, *, opener: Opener, now: datetime) -> None:
    """Ask what is on a gateway, compare it with what was agreed, and open and end alerts accordingly."""
    last = gateway.inventory_at
    there = stock.take(gateway, opener=opener, now=now)
    # An upgrade that began in the meantime changes what is there: its end is looked at.
    if there is None or Upgrade.objects.filter(gateway=gateway, busy=True).exists():
        return
    gateway.refresh_from_db()
    agreed = agreed_for(gateway, agreements.first_look(gateway, there, actor=alerts.WATCHER, now=now), there)
    found = compare(gateway.name, there, agreed, committed=gateway.release)
    since = last.timestamp() if last else 0.0
    logins = alerts.suspects(there.logins, since=since, until=there.at)
    if alerts.note(gateway, found, logins=logins, now=now):
        with transaction.atomic():
            live.publish("inbox")
            live.publish("gateways")


def agreed_for(gateway: Gateway, known: Mapping[str, Agreement], there: Inventory) -> Agreed:
    """Everything that should be on the gateway now."""
    noted = trees_of(_shown(known, "release"))
    kept = Release.objects.filter(name__in=[held.release for held in there.releases])
    if gateway.adapter == Gateway.Adapter.MEMORY:
        kept = kept.exclude(name__in=noted)  # it was made with a release that has the name only
    releases = {name: (tree, digest) for name, tree, digest in kept.values_list("name", "tree", "digest")}
    trees = noted | {name: tree for name, (tree, _) in releases.items() if tree}
    open_kinds = gateway.errands.filter(state__in=[Errand.State.DUE, Errand.State.CLAIMED]).values_list(
        "kind", flat=True
    )
    return Agreed(
        confs=frozenset({*_revisions(gateway), _value(known, "agreed")} - {""}),
        trees=trees | trees_of(_shown(known, "release.adopted")),
        digests={name: digest for name, (_, digest) in releases.items()},
        committed=_committed(gateway, known.get("version")),
        ocgates=frozenset({shipped.sha256(), _value(known, "ocgate")} - {""}),
        trust=_value(known, "trust"),
        trust_shown=_shown(known, "trust"),
        keys=_value(known, "keys"),
        changing=frozenset(code for kind in open_kinds for code in CHANGES.get(kind, ())),
    )


def _revisions(gateway: Gateway) -> list[str]:
    """Every configuration that people agreed to for this gateway or its pool: an older one is late, not drifted."""
    mine = ConfigRevision.objects.filter(pool=gateway.pool_id, state=ConfigRevision.State.AGREED)
    return list(mine.filter(Q(gateway=None) | Q(gateway=gateway)).values_list("sha256", flat=True))


def _committed(gateway: Gateway, noted: Agreement | None) -> str:
    """What the last rollout left committed, or what was agreed since."""
    over = Upgrade.objects.filter(gateway=gateway, state__in=[U.DRAINING, U.DONE, U.ROLLED_BACK]).order_by("-since")
    last = over.exclude(way=OUTGOING).select_related("wave__rollout__release").first()
    if last is None or (noted and noted.at > last.since):
        return noted.value if noted else ""
    if gateway.facts_at is None or gateway.facts_at < last.since:
        return ""  # what we know of it is from before
    if last.way == INCOMING and last.state == U.ROLLED_BACK and _at_work(last):
        return ""  # it keeps the release that was taken back until nobody is on it
    return last.from_release if last.state == U.ROLLED_BACK else last.wave.rollout.release.name


def _at_work(upgrade: Upgrade) -> bool:
    return upgrade.steps.filter(state__in=[S.DUE, S.CLAIMED]).exists()


def _value(known: Mapping[str, Agreement], code: str) -> str:
    return known[code].value if code in known else ""


def _shown(known: Mapping[str, Agreement], code: str) -> str:
    return known[code].shown if code in known else ""
