"""The roles: what each may, as rights over pools, over channels, and over everything. Pure; the one place for it.

Rights are named "app.codename"; the apps above own what they mean. tests/db/approvals/test_roles.py checks that all are
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EVERYTHING = "all"
POOL, CHANNEL = "pool", "channel"
ONCALL, VIEWER, ADMINISTRATOR = "oncall", "viewer", "administrator"


@dataclass(frozen=True)
class Role:
    """One role. It is held on a pool, on a channel or on everything, and then has that scope's rights."""

    name: str
    title: str
    says: str  # what its holder does, for who gives it
    on: Mapping[str, tuple[str, ...]]  # kind of scope → rights there; on everything it has those of all kinds
    along: tuple[str, ...] = ()  # rights that know no pool and no channel, wherever it is held
    fleet_wide: tuple[str, ...] = ()  # rights that it has only where it is held on everything
    over_all: bool = True  # whether it may be held on everything
    by_shift: bool = False  # it counts only during one's shift where there is a calendar (approvals/duty.py)
    kinds: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", (*self.on, *([EVERYTHING] if self.over_all else [])))

    def rights(self, kind: str) -> frozenset[str]:
        """All rights that come with it on a scope of this kind; none where it can't be held."""
        if kind not in self.kinds:
            return frozenset()
        if kind == EVERYTHING:
            return frozenset(
                {right for rights in self.on.values() for right in rights} | {*self.along, *self.fleet_wide}
            )
        return frozenset({*self.on[kind], *self.along})

    def needs_two(self, kind: str) -> bool:
        """Whether giving it gives the power to approve or to administer: then another person confirms."""
        return any(weighs(right) for right in self.rights(kind))


def weighs(right: str) -> bool:
    """Whether the right lets one decide about what others ask, or about what others may."""
    codename = right.partition(".")[2]
    return codename.startswith("approve_") or codename in ("give_role", "pass_freeze", "change_approverkey")


ANYTIME = frozenset({"fleet.view_pool", "approvals.add_approverkey"})
"""What a role by shift gives outside of the shift, too: who is next must see what is going on."""

OWN_KEY = "approvals.add_approverkey"
MOVES = ("fleet.promote_rollout", "fleet.hold_rollout", "fleet.rollback_rollout")
DECIDES = ("fleet.approve_rollout", "fleet.approve_config", "fleet.approve_gateway", "fleet.approve_bounds")

ALL = (
    Role(
        VIEWER,
        "Viewer",
        "Looks at the pool: its gateways, rollouts, alerts and tickets.",
        {POOL: ("fleet.view_pool",)},
    ),
    Role(
        "operator",
        "Operator",
        "Plans rollouts and asks for approval, promotes, holds and rolls back, brings gateways and configurations.",
        {
            POOL: (
                *("fleet.view_pool", "fleet.submit_rollout", *MOVES),
                *("fleet.set_bounds", "fleet.propose_config", "fleet.enrol_gateway"),
            )
        },
        along=("upgrader.add_strategy", OWN_KEY),
    ),
    Role(
        "approver",
        "Approver",
        "Says yes or no to what others ask: rollouts, configurations, gateways and bounds; on a channel, to releases.",
        {POOL: ("fleet.view_pool", *DECIDES), CHANNEL: ("releases.approve_release",)},
        along=(OWN_KEY,),
    ),
    Role(
        ONCALL,
        "On-call",
        "Answers alerts, holds and rolls back, and says yes or no to what can't wait, during the own shift.",
        {POOL: ("fleet.view_pool", *MOVES, *DECIDES, "fleet.pass_freeze", "fleet.set_bounds")},
        # To break the glass takes the right to say yes on that pool, too (upgrader/glass.py).
        along=(OWN_KEY, "approvals.break_glass"),
        over_all=False,
        by_shift=True,
    ),
    Role(
        "release_manager",
        "Release manager",
        "Adds and withdraws releases, proposes who may sign them, and passes them into the channel.",
        {CHANNEL: ("releases.pass_release",)},
        along=("releases.add_release", "releases.yank_release", "releases.propose_trust"),
        fleet_wide=("fleet.view_pool",),
    ),
    Role(
        "auditor",
        "Auditor",
        "Looks at everything and reads the record.",
        {},
        fleet_wide=("fleet.view_pool", "approvals.view_auditevent"),
    ),
    Role(
        ADMINISTRATOR,
        "Administrator",
        "Gives and takes roles and sets who is on call; on everything also alert rules, contacts, keys and signers.",
        {POOL: ("fleet.view_pool", "fleet.give_role", "fleet.approve_role")},
        fleet_wide=(
            *("fleet.change_alarmrule", "fleet.change_contact", OWN_KEY, "approvals.change_approverkey"),
            *("releases.propose_trust", "releases.approve_trust", "fleet.enrol_gateway", "fleet.approve_gateway"),
            *("fleet.set_bounds", "approvals.add_user", "approvals.change_delegation"),
            *("approvals.add_approvalpolicy", "approvals.change_approvalpolicy"),
        ),
    ),
)
ROLES: Mapping[str, Role] = {role.name: role for role in ALL}


def kind_of(scope: str) -> str:
    """The kind of "pool:3" is pool; of "all" it is all."""
    return scope.partition(":")[0]
