"""What changed in the pool since a plan was drawn. Reads only; the plan itself never changes.

The rules: who joined later is not in this rollout. Who left is left out: less than was approved is allowed. Who serves
something else than the plan saw is refused by preflight, and a person skips it or drafts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.models import Gateway
from fleet.phrases import count, listed
from upgrader import between
from upgrader.models import Rollout, Upgrade
from upgrader.states import ROLLOUT_OVER, R, U

NAMES = 8  # that one sentence lists


@dataclass(frozen=True)
class Changed:
    """The difference, by names."""

    pool_id: int
    release_id: int
    strategy_id: int
    joined: list[str]  # in the pool now, need the release, and are not in the plan
    left: list[str]  # in the plan, and not in the pool any more
    others: list[tuple[str, str]]  # of those that have not begun: gateway, and what it serves instead
    planned_users: int  # on the gateways that have not begun, when the plan was drawn
    users: int  # on them now
    waiting: int  # gateways that have not begun

    def __bool__(self) -> bool:
        return bool(self.joined or self.left or self.others or self.moved_users)

    @property
    def moved_users(self) -> bool:
        """Whether so many more users came that the plan's order and numbers mean something else now."""
        return self.users > 1.5 * self.planned_users + 10

    @property
    def joined_say(self) -> str:
        need = "needs" if len(self.joined) == 1 else "need"
        return (
            f"{listed(self.joined, NAMES)} {need} it too and came to the pool after the plan was drawn:"
            " not in this rollout."
        )

    @property
    def left_say(self) -> str:
        return f"{listed(self.left, NAMES)} left the pool since and will be skipped; nothing else of the plan changes."

    @property
    def others_say(self) -> str:
        served = [f"{name} ({release})" for name, release in self.others]
        serve = "serves" if len(served) == 1 else "serve"
        return (
            f"{listed(served, NAMES)} {serve} something else than the plan saw and will be refused."
            " Skip them, or draft anew."
        )

    @property
    def users_say(self) -> str:
        return (
            f"{count(self.users, 'user')} are on the {count(self.waiting, 'gateway')} that have not begun;"
            f" the plan saw {self.planned_users:,}."
        )

    @property
    def draft_say(self) -> str:
        """What a new draft would be for."""
        return (
            f"Draft a rollout for the {len(self.joined)} that joined" if self.joined else "Draft anew for what is left"
        )


def changed(rollout: Rollout) -> Changed | None:
    """Return the difference between the plan and the pool now; None when there is none, or the rollout is over."""
    if R(rollout.state) in ROLLOUT_OVER and R(rollout.state) is not R.DONE:
        return None
    entries = {entry["id"]: entry for wave in rollout.plan["waves"] for entry in wave["gateways"]}
    pools = between.pools(rollout, rollout.plan)
    pool = Gateway.objects.filter(pool__in=pools, state__in=[*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED])
    here = {row["pk"]: row for row in pool.values("pk", "name", "release", "sessions", "state")}
    waits = Upgrade.objects.filter(wave__rollout=rollout, state=U.PLANNED)
    waiting = {pk: entries[pk] for pk in waits.values_list("gateway_id", flat=True) if pk in entries}
    found = Changed(
        pool_id=rollout.pool_id,
        release_id=rollout.release_id,
        strategy_id=rollout.strategy_id,
        joined=_joined(rollout, entries, here),
        left=sorted(entry["name"] for pk, entry in waiting.items() if pk not in here),
        others=_others(waiting, here),
        planned_users=sum(entry["sessions"] for pk, entry in waiting.items() if pk in here),
        users=sum(here[pk]["sessions"] for pk in waiting if pk in here),
        waiting=sum(pk in here for pk in waiting),
    )
    return found or None


def _joined(
    rollout: Rollout, entries: Mapping[int, Mapping[str, Any]], here: Mapping[int, Mapping[str, Any]]
) -> list[str]:
    if rollout.plan.get("between") or (rollout.config and rollout.config.gateway_id):
        return []  # a plan of both pools as they were, or for one gateway's configuration: others are out on purpose
    return sorted(
        row["name"]
        for pk, row in here.items()
        if pk not in entries
        and row["state"] == Gateway.State.ENROLLED
        and row["release"] not in ("", rollout.release.name)
    )


def _others(waiting: Mapping[int, Mapping[str, Any]], here: Mapping[int, Mapping[str, Any]]) -> list[tuple[str, str]]:
    return sorted(
        (entry["name"], str(here[pk]["release"]))
        for pk, entry in waiting.items()
        if pk in here and here[pk]["release"] != entry["from"]
    )
