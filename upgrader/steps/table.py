"""Every step by its name. A name that is not here can't be run."""

from upgrader.steps import (
    check,
    commit,
    configure,
    drain,
    drain_front,
    observe,
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
}
