"""The dispatch table: one function for each verb of schema.VERBS."""

from __future__ import annotations

from typing import Callable, Dict

from . import (
    ability,
    adoptconf,
    authorize,
    check,
    configure,
    departures,
    drain,
    facts,
    front,
    inventory,
    message,
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

Act = Callable[[Call], Result]


def _by_kind(steering: Act, in_place: Act) -> Act:
    """One for gateways that steer, the other for those that can't."""
    return lambda call: steering(call) if call.config.steers else in_place(call)


def _no_steering(call: Call) -> Result:
    ability.refuse_steering(call.config)
    return {}


VERBS: Dict[str, Act] = {
    "facts": facts.facts,
    "stage": stage.stage,
    "check": check.check,
    "start": _by_kind(start.start, _no_steering),
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
    "shift": _by_kind(steer.shift, _no_steering),
    "replace": front.replace,
    "commit": _by_kind(steer.commit, front.commit),
    "drain": drain.drain,
    "message": message.message,
    "sessions": drain.sessions,
    "departures": departures.departures,
    "retire": drain.retire,
    "restore": _by_kind(restore.restore, front.back),
    "snapshot": snapshot.snapshot,
    "metrics": metrics.metrics,
    "watch": metrics.watch,
}
