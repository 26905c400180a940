"""Two pools behind one balancer, of which one stands idle: whether a rollout may switch between them. Reads only.

What the peers said last decides here; each gateway's first step asks them again. docs/adr/0009 has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from approvals.errors import Refused
from approvals.models import Actor
from fleet import idle, traffic
from fleet.idle import Stands
from fleet.models import Gateway, Pool
from fleet.phrases import count, listed
from upgrader import going, rights
from upgrader.flow import INCOMING, OUTGOING
from upgrader.models import Rollout
from upgrader.plan_waves import Target
from upgrader.strategy import Spec

HERE = (*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED)
OPEN = 100  # the weight of a server that takes new users, before and after


@dataclass(frozen=True)
class Pair:
    """`idle` gets the release, `serves` has the users until all new ones are sent to `idle`."""

    idle: Pool
    serves: Pool
    incoming: Sequence[Gateway]
    outgoing: Sequence[Gateway]

    def plan(self) -> dict[str, Any]:
        """What the plan holds of it, beside its gateways."""
        first = self.incoming[0]
        front = first.front.name if first.front else ""
        named = {"idle": self.idle, "serves": self.serves}
        pools: dict[str, Any] = {role: {"id": pool.pk, "name": pool.name} for role, pool in named.items()}
        return pools | {"balancer": front, "backend": first.backend}


def bringing(target: Target) -> Target:
    """A gateway of the idle pool: nobody is on it, and for who may be it waits."""
    return replace(target, way=INCOMING, cut=0)


def leaving(row: Gateway) -> Target:
    """A gateway of the pool that serves: nothing on it is touched."""
    return replace(going.target(row), way=OUTGOING)


def pair(pool: Pool, spec: Spec) -> Pair | None:
    """The two pools of the strategy, `pool` being the idle one; None where it switches between none. Raise Refused."""
    if not spec.between:
        return None
    if pool.name not in spec.between:
        both = " and ".join(spec.between)
        raise Refused(f"This strategy switches between {both}, and {pool.name} is neither. Choose another strategy.")
    (name,) = set(spec.between) - {pool.name}
    other = Pool.objects.filter(name=name).first()
    if other is None:
        raise Refused(f"This strategy switches between {pool.name} and {name}, and there is no pool {name}.")
    found = Pair(pool, other, _gateways(pool), _gateways(other))
    _refuse_apart(found)
    _refuse_not_idle(found)
    if away := [row.name for row in found.outgoing if row.state != Gateway.State.ENROLLED]:
        raise Refused(
            f"{listed(away, 8)} of {other.name} can't be asked now, so nobody could say who is on it. Mend that first."
        )
    here = [row for row in found.incoming if row.state == Gateway.State.ENROLLED and row.release]
    if not here:
        raise Refused(f"No gateway of {pool.name} answers now, so nothing can be brought there.")
    return Pair(pool, other, here, found.outgoing)


def _gateways(pool: Pool) -> list[Gateway]:
    rows = Gateway.objects.filter(pool=pool, state__in=HERE).select_related("pool", "front").order_by("name")
    if not (found := list(rows.defer("facts", "inventory", "config"))):
        raise Refused(f"The pool {pool.name} has no gateway, so there is nothing to switch between.")
    return found


def _refuse_apart(found: Pair) -> None:
    """Every gateway of both stands in the same backend of the same balancer, each as one server."""
    rows = [*found.incoming, *found.outgoing]
    both = f"{found.idle.name} and {found.serves.name}"
    if bare := [row.name for row in rows if row.front_id is None]:
        say = "stands behind no balancer" if len(bare) == 1 else "stand behind no balancer"
        raise Refused(f"{listed(bare, 8)} {say}, and a switch between {both} is made there.")
    if slots := [row.name for row in rows if traffic.way_of(row) == "proxy"]:
        raise Refused(
            f"{listed(slots, 8)} can switch between slots of its own, so its balancer knows no server for all of it."
            " Choose the strategy blue-green within one pool, or place it as one server."
        )
    places = {(row.front_id, row.backend) for row in rows}
    if len(places) > 1:
        said = listed(sorted({f"{row.front.name}/{row.backend}" for row in rows if row.front}), 8)
        raise Refused(f"The gateways of {both} stand behind {said}, and a switch is made in one backend.")


def _refuse_not_idle(found: Pair) -> None:
    """Nobody new reaches the idle pool; each gateway of the other takes new users, with the weight it will get back."""
    said = {one.name: one for one in idle.stands()}
    if unknown := [row.name for row in (*found.incoming, *found.outgoing) if row.name not in said]:
        stand = "stands" if len(unknown) == 1 else "stand"
        raise Refused(f"The balancer has not said yet how {listed(unknown, 8)} {stand} there. Try again in a minute.")
    if busy := _names(found.incoming, said, takes_new=True):
        take = "takes" if len(busy) == 1 else "take"
        raise Refused(
            f"{found.idle.name} is not the idle pool: {listed(busy, 8)} {take} new users. Plan this for"
            f" {found.serves.name}, or take {found.idle.name} out at its balancer first (weight 0)."
        )
    if shut := _names(found.outgoing, said, takes_new=False):
        raise Refused(
            f"{listed(shut, 8)} of {found.serves.name} takes no new users, so there would be less to go back to than"
            f" it seems. Set its weight to {OPEN} at its balancer first."
        )
    if odd := [row.name for row in found.outgoing if said[row.name].weights != {OPEN}]:
        raise Refused(
            f"{listed(odd, 8)} has another weight than {OPEN} at its balancer, and a way back would set {OPEN}."
            " Set it so first."
        )


def _names(rows: Sequence[Gateway], said: Mapping[str, Stands], *, takes_new: bool) -> list[str]:
    return [row.name for row in rows if said[row.name].takes_new is takes_new]


def refuse_stranger(plan: Mapping[str, Any], actor: Actor, action: str) -> None:
    """Raise Refused unless the person has the action's right on the pool that loses its new users, too."""
    if both := plan.get("between"):
        rights.demand(actor, action, Pool.objects.get(pk=both["serves"]["id"]))


def why_not_config(way: str) -> str:
    """Why a configuration can't go along; "" when it can."""
    if way != "reload":
        return ""
    return "A configuration that is only read again needs no other pool. Choose another strategy for it."


def pools(rollout: Rollout, plan: Mapping[str, Any]) -> list[int]:
    """Ids of the pools that the rollout moves users of."""
    both = plan.get("between")
    return [rollout.pool_id, int(both["serves"]["id"])] if both else [rollout.pool_id]


def users_say(plan: Mapping[str, Any]) -> str:
    """What the plan does to whom, in a sentence; "" for a plan that switches between no pools."""
    both = plan.get("between")
    if not both:
        return ""
    gateways = [gateway for wave in plan["waves"] for gateway in wave["gateways"]]
    there = sum(gateway["sessions"] for gateway in gateways if gateway["way"] == OUTGOING)
    serves, to = both["serves"]["name"], both["idle"]["name"]
    return (
        f"Then all new users go from {serves} to {to}; {count(there, 'user')} on {serves} stay there until they leave."
    )
