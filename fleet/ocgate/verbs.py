"""The dispatch table: one function for each verb of schema.VERBS."""

from __future__ import annotations

from typing import Callable, Dict

from . import (
    adoptconf,
    authorize,
    check,
    configure,
    departures,
    drain,
    facts,
    inventory,
    metrics,
    probe,
    reload,
    repin,
    restore,
    selfupgrade,
    snapshot,
    stage,
    start,
    steer,
)
from .call import Call, Result

VERBS: Dict[str, Callable[[Call], Result]] = {
    "facts": facts.facts,
    "stage": stage.stage,
    "check": check.check,
    "start": start.start,
    "configure": configure.configure,
    "agree": configure.agree,
    "adopt_conf": adoptconf.adopt_conf,
    "reload": reload.reload,
    "inventory": inventory.inventory,
    "trust": repin.repin,
    "crl": repin.crl,
    "upgrade_self": selfupgrade.upgrade_self,
    "authorize": authorize.authorize,
    "probe": probe.probe,
    "shift": steer.shift,
    "commit": steer.commit,
    "drain": drain.drain,
    "sessions": drain.sessions,
    "departures": departures.departures,
    "retire": drain.retire,
    "restore": restore.restore,
    "snapshot": snapshot.snapshot,
    "metrics": metrics.metrics,
    "watch": metrics.watch,
}
