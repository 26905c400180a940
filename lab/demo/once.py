"""The demonstration without a person: the bad release, then the good one, and whether every promise held."""

from __future__ import annotations

import json
import time
from typing import Any

from lab.demo import simulated, watch
from lab.demo.dashboard import DemoError
from lab.demo.life import Life
from lab.demo.people import People
from lab.demo.stage import Stage
from lab.fleet import Lab

STRATEGY = "Careful canary (demo)"
BAD_WITHIN, GOOD_WITHIN, DRAIN_WITHIN = 120.0, 180.0, 60.0  # seconds; the budget of the whole is 4 minutes
SETTLE = 3.0  # seconds for sign-ins that were under way to end


def prove(stage: Stage) -> int:
    """Run both rollouts through the pages; print the figures as one JSON line last; 0 only if every promise held."""
    began = time.monotonic()
    people = People(stage.dashboard.address, stage.passwords, say=stage.dashboard.say)
    bad = simulated.BAD if stage.lab is None else bad_release_of(stage.lab)
    before = watch.users(stage.lab) if stage.lab else None
    if stage.life:
        stage.life.go_home = False  # that comes at the end, all at once
    figures = {
        "simulated": stage.lab is None,
        **bad_release(people, bad),
        **good_release(people, bad.removesuffix("+bad"), stage.life),
    }
    if stage.lab and before:
        figures |= users_kept(stage.lab, before)
    figures |= ending(people, figures.pop("number"), stage)
    broken = [name for name, held in promises(figures).items() if not held]
    figures |= {"seconds": round(time.monotonic() - began, 1), "broken": broken}
    print(json.dumps(figures), flush=True)
    return 1 if broken else 0


def bad_release_of(lab: Lab) -> str:
    """The name of the lab's bad release: the good one's, and "+bad"."""
    return next(name for name in lab.releases if name.endswith("+bad"))


def bad_release(people: People, release: str) -> dict[str, Any]:
    """The bad release must come back by itself out of its first wave."""
    people.say(f"the bad release {release}: the operator plans and submits it, on-call approves")
    number = people.start(release, STRATEGY)
    seen = people.carry(number, until=("waiting_promotion",), seconds=BAD_WITHIN)
    first, *later = seen["waves"]
    verdict = first["verdict"] or {}
    return {
        "bad_state": seen["state"],
        "bad_verdict": verdict.get("sentence", ""),
        "bad_gateways_touched": first["gateways"],
        "bad_later_waves_untouched": all(wave["verdict"] is None for wave in later),
    }


def good_release(people: People, release: str, life: Life | None) -> dict[str, Any]:
    """The good release goes through all waves until old slots drain; new users must always come in."""
    time.sleep(SETTLE)
    tried, failed = (life.tried, life.failed) if life else (0, 0)
    people.say(f"the good release {release}: the operator plans and submits it, on-call approves")
    number = people.start(release, STRATEGY)
    seen = people.carry(number, until=("draining",), seconds=GOOD_WITHIN)
    return {
        "number": number,
        "good_state": seen["state"],
        "sessions_before_by_dashboard": seen["sessions"]["before"],
        "sessions_kept_by_dashboard": seen["sessions"]["kept"],
        "logins_tried": life.tried - tried if life else 0,
        "logins_failed": life.failed - failed if life else 0,
    }


def users_kept(lab: Lab, before: watch.Users) -> dict[str, Any]:
    """What occtl and the users' own counters say at the end of both rollouts."""
    after = watch.users(lab)
    return {
        "sessions_before": len(before.sessions),
        "sessions_kept": after.kept(before),
        "packets_sent": after.sent - before.sent,
        "packets_lost": after.lost - before.lost,
        "longest_gap_ms": after.longest_gap_ms,
    }


def ending(people: People, number: int, stage: Stage) -> dict[str, Any]:
    """The users go home, so that the old slots retire; then the record is verified."""
    state = people.look(number)["state"]
    if stage.lab and stage.life:
        people.say("the users sign out; old slots retire")
        stage.life.stop()
        for client in stage.lab.clients.all:
            if client.vpn.running:
                stage.lab.clients.disconnect(client)
        state = people.carry(number, until=("done",), seconds=DRAIN_WITHIN)["state"]
    try:
        record, whole = stage.dashboard.manage("audit", "verify").strip(), True
    except DemoError as broken:
        record, whole = str(broken), False
    return {"end_state": state, "audit_whole": whole, "audit": record}


def promises(figures: dict[str, Any]) -> dict[str, bool]:
    """Every promise by name, and whether it held."""
    kept = {
        "bad release rolled back by itself": figures["bad_state"] == "rolled_back",
        "bad release stayed in its first wave": figures["bad_later_waves_untouched"],
        "good release on every gateway": figures["good_state"] in ("draining", "done"),
        "audit record whole": figures["audit_whole"],
    }
    if figures["simulated"]:
        return kept
    return kept | {
        "sessions kept": figures["sessions_kept"] == figures["sessions_before"] > 0,
        "sessions kept by the dashboard": figures["sessions_kept_by_dashboard"]
        == figures["sessions_before_by_dashboard"],
        "no packet lost": figures["packets_lost"] == 0 < figures["packets_sent"],
        "no login failed on the good release": figures["logins_failed"] == 0 < figures["logins_tried"],
        "old slots retired": figures["end_state"] == "done",
    }
