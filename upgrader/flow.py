"""Which step follows which, and where an upgrade stands while a step runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from upgrader.states import U


@dataclass(frozen=True)
class Next:
    """What a settled step leads to: a state (None: stays) and a step (empty: none)."""

    state: U | None
    step: str


AFTER: dict[str, Next] = {
    "preflight": Next(None, "stage"),
    "stage": Next(None, "check"),
    "check": Next(None, "start"),
    "start": Next(None, "probe"),
    "probe": Next(None, "shift"),
    "shift": Next(U.OBSERVING, "observe"),
    "commit": Next(U.DRAINING, "drain"),
    "drain": Next(None, "retire"),
    "retire": Next(U.DONE, ""),
    "restore": Next(None, "snapshot"),
    "snapshot": Next(U.ROLLED_BACK, "drain"),
}

WAYS: dict[str, dict[str, Next]] = {
    "": AFTER,
    # A configuration goes along: into the idle slot, with the release or alone.
    "restart": {**AFTER, "stage": Next(None, "configure"), "configure": Next(None, "check")},
    # The slot that serves reads it again: no slot is taken, none drains.
    "reload": {
        **AFTER,
        "preflight": Next(None, "configure"),
        "configure": Next(None, "check"),
        "check": Next(None, "reload"),
        "reload": Next(U.OBSERVING, "observe"),
        "commit": Next(U.DONE, ""),
        "snapshot": Next(U.ROLLED_BACK, ""),
    },
}
_IN_PLACE = {
    "drain_front": Next(None, "replace"),
    "replace": Next(None, "probe"),
    "probe": Next(None, "ready_front"),
    "ready_front": Next(U.OBSERVING, "observe"),
    "commit": Next(U.DONE, ""),
    "snapshot": Next(U.ROLLED_BACK, ""),
}
# One slot at a time serves there: the balancer in front keeps new users away while it is exchanged.
WAYS["in_place"] = {**AFTER, "check": Next(None, "drain_front"), **_IN_PLACE}
WAYS["in_place restart"] = {**WAYS["restart"], "check": Next(None, "drain_front"), **_IN_PLACE}
# The idle pool's: what was put in place there is kept before anybody comes, so that no trial ends while the others are
# still being prepared. The trial that counts is at the balancer.
_INCOMING = {
    "check": Next(None, "drain_front"),
    "drain_front": Next(None, "replace"),
    "replace": Next(None, "probe"),
    "probe": Next(None, "settle"),
    "settle": Next(None, "shift"),
    "commit": Next(U.DONE, ""),
}
WAYS["incoming"] = {**AFTER, **_INCOMING}
WAYS["incoming restart"] = {**WAYS["restart"], **_INCOMING}
WAYS["incoming there"] = {**AFTER, **_INCOMING, "preflight": Next(None, "probe")}
# The other pool's: nothing on the gateway is touched.
WAYS["outgoing"] = {
    "preflight": Next(None, "shift"),
    "shift": Next(U.OBSERVING, "observe"),
    "commit": Next(U.DRAINING, "drain"),
    "drain": Next(U.DONE, ""),
    "restore": Next(U.ROLLED_BACK, ""),
}
"""Way of the plan's configuration ("" without one), and of the traffic where it differs → what follows which step."""

INCOMING, OUTGOING = "incoming", "outgoing"
"""Of a switch between two pools: a gateway of the idle one gets the release, one of the other loses its new users."""
SETTLED = "incoming there"  # it has the release already

TRAFFIC = ("handover", "proxy", "in_place", INCOMING, OUTGOING)
"""How an upgrade moves users. handover: the gateway's own nftables steers new clients to the other slot. proxy: both
slots are backends of a balancer in front, which steers. in_place: the balancer drains the gateway, then the one slot
there is restarts; users who are left then are cut, and the plan names their number.
incoming: the same where nobody is, and the balancer sends new users there once all of its pool are ready. outgoing: it
sends nobody new any more."""

BEGINS: dict[U, str] = {
    U.UPGRADING: "preflight",
    U.COMMITTING: "commit",
    U.ROLLING_BACK: "restore",
}
"""The first step of a state that an upgrade is moved to. A wave's second stage begins with `shift` instead."""

STATE_DURING: dict[str, U] = {
    **dict.fromkeys(("preflight", "stage", "configure", "check", "start", "probe", "shift", "reload"), U.UPGRADING),
    **dict.fromkeys(("drain_front", "replace", "ready_front", "settle"), U.UPGRADING),
    "observe": U.OBSERVING,
    "commit": U.COMMITTING,
    "drain": U.DRAINING,
    "retire": U.DRAINING,
    "restore": U.ROLLING_BACK,
    "snapshot": U.ROLLING_BACK,
}
"""Where an upgrade goes back to when a step that said no is tried again."""

RUNS_WHILE_HELD = frozenset({"observe", "settle", "commit", "drain", "restore", "snapshot"})
"""A hold stops going on; it does not stop watching, and never a rollback. What has passed is committed all the same:
else its trial would end by itself and send new users back."""

USES_RELEASE = frozenset(
    {
        "preflight",
        "stage",
        "configure",
        "check",
        "start",
        "probe",
        "shift",
        "reload",
        "commit",
        "settle",
        "replace",
        "ready_front",
    }
)
"""These bring the release further: none of them begins with one that was withdrawn."""

LAST_BEFORE_USERS = {"": "probe", "restart": "probe", "reload": "check"}
"""Way of the plan's configuration → the step after which users are moved: whether the release may still be used is
asked in full once more then."""

LOGS_IN = frozenset({"probe", "observe", "restore"})
"""Steps that sign in with the probe account."""

ASKS_COMMITTED = frozenset({"restore"})
"""Steps that must know whether a commit was asked for."""

LOOKS_FIRST = frozenset({"preflight"})
"""These read only, and their own answer says whether the gateway is ahead of a restored database."""

NEVER_TIRES = frozenset({"observe", "drain", "drain_front", "restore", "snapshot"})
"""No answer is asked for again without end; the others give up after PATIENCE tries and hold the rollout."""

PATIENCE = 6
RETRY_SECONDS = (1, 2, 4, 8, 15, 30)

LEASE_SECONDS: dict[str, int] = {
    "check": 70,
    "start": 100,
    "reload": 40,
    "commit": 20,
    "settle": 20,
    "retire": 100,
    "replace": 130,
    "snapshot": 100,
    "shift": 20,
    "observe": 20,
    "restore": 20,
}
LEASE_DEFAULT = 60
"""Longer than the deadlines of the verbs that a step asks; stage renews while bytes flow. Four are shorter, for asking
them twice does no harm: a trial must be renewed or committed before it ends (TRIAL_LEAST), and going back is urgent."""

TRIAL_LEAST = 60
"""The least trial_seconds: a lease of observe, its renewal at half time, and some."""


def way(traffic: str, config: str) -> str:
    """The name in WAYS for how users are moved and how a configuration takes effect."""
    if traffic in ("in_place", INCOMING) and config != "reload":
        return f"{traffic} {config}".strip()
    if traffic in (OUTGOING, SETTLED):
        return traffic
    return config


def moves(step: str) -> bool:
    """Whether the end of this step moves its upgrade, whatever the way."""
    return any(step in way and way[step].state is not None for way in WAYS.values())


def retry_after(attempts: int) -> int:
    """Seconds until the next try after `attempts` tries without an answer."""
    return RETRY_SECONDS[min(max(attempts, 1), len(RETRY_SECONDS)) - 1]


def after(step: str, state: U, way: str = "", *, together: bool = False, unobserved: bool = False) -> Next:
    """Return what follows `step`. Draining and retiring the *bad* slot after a rollback changes no state.

    `together`: the upgrade waits for a shift that all of its wave make at one moment. `unobserved`: it is committed as
    soon as it carries its last share.
    """
    follows = WAYS[way].get(step, Next(None, ""))
    if step == "retire" and state is not U.DRAINING:
        return Next(None, "")
    if together and follows.step == "shift":
        return Next(U.READY, "")
    if unobserved and follows.state is U.OBSERVING:
        return Next(U.COMMITTING, "commit")
    return follows
