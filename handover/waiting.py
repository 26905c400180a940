"""Staying until a rollout is over, and which exit code its state is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handover.client import Client
from handover.ground import AWAITING, ERROR, FAILED, OK, TIMED_OUT, Ground, Stop

BAD = ("rolled_back", "failed", "rejected", "rolling_back")
ASKED = ("waiting_approval", "waiting_promotion", "planned")
OVER = ("done", "rolled_back", "failed", "rejected")
POLL = (2.0, 10.0)  # seconds, the first time and at most
LONGEST = 86400.0


def code(rollout: Mapping[str, Any]) -> int:
    """The exit code of a rollout as it stands: FAILED for one that went back or whose gate failed, AWAITING where a
    person is asked, else OK."""
    state = rollout["state"]
    if state in BAD or (state == "held" and gate_failed(rollout)):
        return FAILED
    asked = state in ASKED or state == "held" or open_question(rollout)
    return AWAITING if asked else OK


def gate_failed(rollout: Mapping[str, Any]) -> bool:
    """Whether the newest verdict is a FAIL."""
    verdicts = [wave["verdict"]["outcome"] for wave in rollout.get("waves", []) if wave.get("verdict")]
    return bool(verdicts) and verdicts[-1] == "fail"


def open_question(rollout: Mapping[str, Any]) -> bool:
    return any(asked and asked["state"] == "open" for asked in rollout.get("questions", {}).values())


def moved(rollout: Mapping[str, Any]) -> int:
    """The exit code of an action that was taken: AWAITING where it only asked another person."""
    asked = rollout["state"] in ("waiting_approval",) or open_question(rollout)
    return AWAITING if asked else OK


def wait(
    client: Client, ground: Ground, rollout: Mapping[str, Any], *, until: str, seconds: float
) -> Mapping[str, Any]:
    """Ask until it is over; each change is told on the way. Stop(TIMED_OUT) with where it stands."""
    end, pause, told = ground.clock() + seconds, POLL[0], ""
    over = (*OVER, "draining") if until == "draining" else OVER
    while True:
        say = f"{rollout['state']}: {rollout['why'] or rollout['reason']}"
        if say != told:
            ground.tell(f"rollout {rollout['id']} {say}")
            told = say
        if rollout["state"] in over or (rollout["state"] == "held" and gate_failed(rollout)):
            return rollout
        if ground.clock() >= end:
            raise Stop(TIMED_OUT, f"After {seconds:.0f} s rollout {rollout['id']} is not over. It goes on by itself.")
        ground.sleep(min(pause, max(0.0, end - ground.clock())))
        pause = min(POLL[1], pause * 1.5)
        rollout = again(client, ground, rollout)


def again(client: Client, ground: Ground, rollout: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rollout as it is now; as it was where the dashboard is away for a moment, as in its own upgrade."""
    try:
        found: Mapping[str, Any] = client.get(f"/rollouts/{rollout['id']}").body
    except Stop as silent:
        if silent.code != ERROR or "does not answer" not in silent.say:
            raise
        ground.tell(silent.say)
        return rollout
    return found
