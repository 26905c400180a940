"""The closed lists of states and the tables of legal moves. Pure.

`decide.py` thinks; this file only says what exists and what may follow what.
"""

from __future__ import annotations

from enum import StrEnum


class R(StrEnum):
    """A rollout."""

    PLANNED = "planned"  # plan stored, not submitted
    WAITING_APPROVAL = "waiting_approval"
    UPGRADING = "upgrading"  # a wave is at work or under observation
    WAITING_PROMOTION = "waiting_promotion"  # a wave passed (or has no verdict); a person says go on
    HELD = "held"
    DRAINING = "draining"  # every wave carries the new release; old slots empty
    DONE = "done"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    FAILED = "failed"  # a rollback could not be verified: a person is needed


class W(StrEnum):
    """A wave."""

    PLANNED = "planned"
    UPGRADING = "upgrading"
    OBSERVING = "observing"
    COMMITTING = "committing"  # the verdict was PASS at the last weight; the steady state is being written
    PASSED = "passed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"


class U(StrEnum):
    """One gateway's upgrade."""

    PLANNED = "planned"
    UPGRADING = "upgrading"  # preflight … shift
    READY = "ready"  # the new release runs verified, and a shift is waited for: blue-green's common one, the next share
    OBSERVING = "observing"  # carries its share of new clients under a trial
    COMMITTING = "committing"
    DRAINING = "draining"
    DONE = "done"
    FAILED = "failed"  # stopped before anything was shifted, or by an answer that was no
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    SKIPPED = "skipped"  # left out, by a person with a reason or because it left the pool; nothing of ours is on it


class S(StrEnum):
    """One run of one step."""

    DUE = "due"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    DROPPED = "dropped"  # a rollback came first


class Outcome(StrEnum):
    """A verdict. Only PASS promotes by itself."""

    PASS = "pass"  # nosec B105 # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NO_EVIDENCE = "no_evidence"


ROLLOUT_MOVES: dict[R, frozenset[R]] = {
    R.PLANNED: frozenset({R.WAITING_APPROVAL, R.REJECTED}),
    R.WAITING_APPROVAL: frozenset({R.UPGRADING, R.REJECTED, R.PLANNED}),
    R.UPGRADING: frozenset({R.WAITING_PROMOTION, R.HELD, R.DRAINING, R.ROLLING_BACK, R.REJECTED}),
    R.WAITING_PROMOTION: frozenset({R.UPGRADING, R.HELD, R.ROLLING_BACK, R.REJECTED}),
    R.HELD: frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.DRAINING, R.ROLLING_BACK, R.REJECTED}),
    R.DRAINING: frozenset({R.DONE, R.HELD, R.ROLLING_BACK}),
    R.DONE: frozenset({R.ROLLING_BACK}),
    R.ROLLING_BACK: frozenset({R.ROLLED_BACK, R.FAILED}),
    R.FAILED: frozenset({R.ROLLING_BACK}),
    R.ROLLED_BACK: frozenset({R.ROLLING_BACK}),  # what earlier waves still carry
    R.REJECTED: frozenset(),
}

WAVE_MOVES: dict[W, frozenset[W]] = {
    W.PLANNED: frozenset({W.UPGRADING, W.ROLLED_BACK}),
    W.UPGRADING: frozenset({W.OBSERVING, W.PASSED, W.ROLLING_BACK}),  # PASSED: nothing of it is observed
    W.OBSERVING: frozenset({W.UPGRADING, W.COMMITTING, W.OBSERVING, W.PASSED, W.ROLLING_BACK}),
    W.COMMITTING: frozenset({W.PASSED, W.ROLLING_BACK}),
    W.PASSED: frozenset({W.ROLLING_BACK}),
    W.ROLLING_BACK: frozenset({W.ROLLED_BACK}),
    W.ROLLED_BACK: frozenset({W.ROLLING_BACK}),  # what an abort left, because its old slot was gone
}

UPGRADE_MOVES: dict[U, frozenset[U]] = {
    U.PLANNED: frozenset({U.UPGRADING, U.ROLLED_BACK, U.SKIPPED}),
    U.UPGRADING: frozenset({U.READY, U.OBSERVING, U.COMMITTING, U.FAILED, U.ROLLING_BACK}),  # COMMITTING: not observed
    U.READY: frozenset({U.READY, U.OBSERVING, U.COMMITTING, U.FAILED, U.ROLLING_BACK}),  # READY: its shift is asked for
    U.OBSERVING: frozenset({U.READY, U.COMMITTING, U.FAILED, U.ROLLING_BACK}),  # READY: the next share
    U.COMMITTING: frozenset({U.DRAINING, U.DONE, U.FAILED, U.ROLLING_BACK}),  # DONE: nothing drains after a reload
    U.DRAINING: frozenset({U.DONE, U.FAILED, U.ROLLING_BACK}),
    U.DONE: frozenset({U.ROLLING_BACK}),
    U.FAILED: frozenset({U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.ROLLING_BACK}),
    U.ROLLING_BACK: frozenset({U.ROLLED_BACK, U.SKIPPED, U.FAILED}),  # SKIPPED: it was taken back to be left out
    U.ROLLED_BACK: frozenset(),
    U.SKIPPED: frozenset({U.PLANNED}),  # a person takes it in again
}

STEP_MOVES: dict[S, frozenset[S]] = {
    S.DUE: frozenset({S.CLAIMED, S.DROPPED}),
    S.CLAIMED: frozenset({S.CLAIMED, S.DUE, S.DONE, S.FAILED, S.DROPPED}),  # CLAIMED again: the lease ran out
    S.FAILED: frozenset({S.DUE, S.DROPPED}),
    S.DONE: frozenset(),
    S.DROPPED: frozenset(),
}

ROLLOUT_OVER = frozenset({R.DONE, R.ROLLED_BACK, R.REJECTED})
UPGRADE_IDLE = frozenset({U.PLANNED, U.DRAINING, U.DONE, U.ROLLED_BACK, U.SKIPPED})
"""States in which another rollout may take the gateway: a third slot does not wait for a drain."""

DRAINS = frozenset({U.DRAINING, U.UPGRADING})
"""States in which users are waited for until `drain_until`: on the old slot, or behind the balancer in front before
the one slot there is exchanged."""

ACTION_STATES: dict[str, frozenset[R]] = {
    "submit": frozenset({R.PLANNED}),
    "approve": frozenset({R.WAITING_APPROVAL}),
    "reject": frozenset({R.WAITING_APPROVAL}),
    "promote": frozenset({R.WAITING_PROMOTION}),
    "hold": frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.DRAINING}),
    "resume": frozenset({R.HELD}),
    "retry": frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING, R.FAILED}),
    "skip": frozenset({R.WAITING_APPROVAL, R.UPGRADING, R.WAITING_PROMOTION, R.HELD}),
    "take_in": frozenset({R.WAITING_APPROVAL, R.UPGRADING, R.WAITING_PROMOTION, R.HELD}),
    "abort": frozenset({R.PLANNED, R.WAITING_APPROVAL, R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING, R.FAILED}),
    "roll_back": frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING, R.DONE, R.FAILED, R.ROLLED_BACK}),
    "agree_back": frozenset({R.HELD, R.DONE, R.FAILED, R.ROLLED_BACK}),
    "refuse_back": frozenset({R.HELD, R.DONE, R.FAILED, R.ROLLED_BACK}),
    "extend": frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING}),
    "ask_cut": frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING}),
    "agree_cut": frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING}),
    "refuse_cut": frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING}),
}
"""What a person may ask for, and in which states of the rollout. Buttons and services both read it."""

ACTION_PERMISSION: dict[str, str] = {
    "submit": "fleet.submit_rollout",
    "approve": "fleet.approve_rollout",
    "reject": "fleet.approve_rollout",
    "promote": "fleet.promote_rollout",
    "hold": "fleet.hold_rollout",
    "resume": "fleet.hold_rollout",
    "retry": "fleet.hold_rollout",
    "skip": "fleet.hold_rollout",
    "take_in": "fleet.hold_rollout",
    "abort": "fleet.rollback_rollout",
    "roll_back": "fleet.rollback_rollout",
    "agree_back": "fleet.approve_rollout",
    "refuse_back": "fleet.approve_rollout",
    "extend": "fleet.hold_rollout",
    "ask_cut": "fleet.hold_rollout",
    "agree_cut": "fleet.approve_rollout",
    "refuse_cut": "fleet.approve_rollout",
}
"""Permissions are granted on the rollout's pool."""
