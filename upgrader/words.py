"""The words for the states of a rollout and its parts; see fleet.words. Pure."""

from __future__ import annotations

from fleet.words import Word
from upgrader.states import Outcome, R, S, U, W

ROLLOUT: dict[R, Word] = {
    R.PLANNED: Word("Planned", "planned", "circle-dashed"),
    R.WAITING_APPROVAL: Word("Waits for approval", "waiting", "hand"),
    R.UPGRADING: Word("Running", "running", "play"),
    R.WAITING_PROMOTION: Word("Waits for promotion", "waiting", "hand"),
    R.HELD: Word("On hold", "held", "pause"),
    R.DRAINING: Word("Draining", "running", "droplets"),
    R.DONE: Word("Done", "done", "circle-check"),
    R.ROLLING_BACK: Word("Rolling back", "rolled", "undo-2"),
    R.ROLLED_BACK: Word("Rolled back", "rolled", "undo-2"),
    R.REJECTED: Word("Rejected", "planned", "ban"),
    R.FAILED: Word("Needs a person", "failed", "triangle-alert"),
}
WAITS = Word("Waits to begin", "waiting", "hourglass")
ASKED = Word("Waits for a person", "waiting", "hand")

WAVE: dict[W, Word] = {
    W.PLANNED: Word("Planned", "planned", "circle-dashed"),
    W.UPGRADING: Word("Upgrading", "running", "play"),
    W.OBSERVING: Word("Observing", "running", "eye"),
    W.COMMITTING: Word("Committing", "running", "play"),
    W.PASSED: Word("Passed", "done", "circle-check"),
    W.ROLLING_BACK: Word("Rolling back", "rolled", "undo-2"),
    W.ROLLED_BACK: Word("Rolled back", "rolled", "undo-2"),
}

UPGRADE: dict[U, Word] = {
    U.PLANNED: Word("Planned", "planned", "circle-dashed"),
    U.UPGRADING: Word("Upgrading", "running", "play"),
    U.READY: Word("Ready", "waiting", "hourglass"),
    U.OBSERVING: Word("Observing", "running", "eye"),
    U.COMMITTING: Word("Committing", "running", "play"),
    U.DRAINING: Word("Draining", "running", "droplets"),
    U.DONE: Word("Done", "done", "circle-check"),
    U.FAILED: Word("Failed", "failed", "circle-x"),
    U.ROLLING_BACK: Word("Rolling back", "rolled", "undo-2"),
    U.ROLLED_BACK: Word("Rolled back", "rolled", "undo-2"),
    U.SKIPPED: Word("Skipped", "planned", "ban"),
}

STEP: dict[S, Word] = {
    S.DUE: Word("Due", "waiting", "clock"),
    S.CLAIMED: Word("At work", "running", "play"),
    S.DONE: Word("Done", "done", "check"),
    S.FAILED: Word("Failed", "failed", "circle-x"),
    S.DROPPED: Word("Dropped", "planned", "ban"),
}

OUTCOME: dict[Outcome, Word] = {
    Outcome.PASS: Word("Pass", "done", "circle-check"),
    Outcome.FAIL: Word("Fail", "failed", "circle-x"),
    Outcome.INCONCLUSIVE: Word("Inconclusive", "held", "circle-question-mark"),
    Outcome.NO_EVIDENCE: Word("No evidence yet", "planned", "hourglass"),
}

STEP_SAYS: dict[str, str] = {
    "preflight": "looks at the gateway",
    "stage": "takes the release",
    "configure": "takes the configuration",
    "check": "checks the release in its slot",
    "start": "starts the new slot",
    "probe": "logs in on the new slot",
    "shift": "steers new clients",
    "reload": "reads the new configuration",
    "drain_front": "empties behind its balancer",
    "replace": "puts the new release in the old one's place",
    "ready_front": "takes new users from its balancer again",
    "settle": "keeps the release before anybody comes",
    "observe": "is being watched",
    "commit": "makes the new release permanent",
    "drain": "empties the old slot",
    "retire": "retires the old slot",
    "restore": "goes back to the old release",
    "snapshot": "keeps a snapshot of the failure",
    "verify": "verifies the old release",
}
