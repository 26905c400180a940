"""Every step by its name. A name that is not here can't be run."""

from upgrader.flow import INCOMING, OUTGOING
from upgrader.steps import (
    check,
    commit,
    configure,
    drain,
    drain_front,
    incoming,
    observe,
    outgoing,
    preflight,
    probe,
    ready_front,
    reload,
    replace,
    restore,
    retire,
    shift,
    snapshot,
    stage,
    start,
)
from upgrader.steps.job import Step

STEPS: dict[str, Step] = {
    "preflight": preflight.run,
    "stage": stage.run,
    "configure": configure.run,
    "check": check.run,
    "start": start.run,
    "reload": reload.run,
    "drain_front": drain_front.run,
    "replace": replace.run,
    "probe": probe.run,
    "ready_front": ready_front.run,
    "shift": shift.run,
    "observe": observe.run,
    "commit": commit.run,
    "drain": drain.run,
    "retire": retire.run,
    "restore": restore.run,
    "snapshot": snapshot.run,
    "settle": incoming.settle,
}

OF_WAY: dict[str, dict[str, Step]] = {
    INCOMING: {
        "preflight": incoming.preflight,
        "probe": incoming.probe,
        "shift": incoming.shift,
        "commit": incoming.commit,
        "restore": incoming.restore,
        "retire": incoming.retire,
    },
    OUTGOING: {
        "preflight": outgoing.preflight,
        "shift": outgoing.shift,
        "commit": outgoing.commit,
        "drain": outgoing.drain,
        "restore": outgoing.restore,
    },
}
"""Way of an upgrade → the steps that are others there."""


def step_of(name: str, way: str) -> Step:
    return OF_WAY.get(way, {}).get(name) or STEPS[name]
