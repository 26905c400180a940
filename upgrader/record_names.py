"""What events of the record are about, by the rows they name: those of a rollout are about its release, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from approvals import record_index
from approvals.record_index import Named
from fleet.models import Gateway
from releases.models import Release
from upgrader.models import Rollout


def resolve(named: Iterable[Named]) -> Mapping[Named, list[str]]:
    """Each of them → "rollout:12", "gateway:fra-gw-01", "release:1.3.0-2". A row that is gone keeps its number."""
    asked = list(named)
    rollouts, gateways, releases = (
        {key for kind, key in asked if kind == wanted and isinstance(key, int)} for wanted in record_index.KINDS
    )
    of_rollout = dict(Rollout.objects.filter(pk__in=rollouts).values_list("pk", "release__name"))
    gateway_names = dict(Gateway.objects.filter(pk__in=gateways).values_list("pk", "name"))
    release_names = dict(Release.objects.filter(pk__in=releases).values_list("pk", "name"))
    names = {"gateway": gateway_names, "release": release_names}
    found: dict[Named, list[str]] = {}
    for kind, key in asked:
        known = names.get(kind, {}).get(key, key) if isinstance(key, int) else key
        found[kind, key] = [f"{kind}:{known}"]
        if kind == "rollout" and isinstance(key, int) and key in of_rollout:
            found[kind, key].append(f"release:{of_rollout[key]}")
    return found


record_index.RESOLVERS.append(resolve)
