"""A Traffic made of doors: every peer is set, then every peer is looked at. No Django, no I/O of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fleet.errors import GiveUp, RetryLater
from fleet.traffic.ports import Door, Peer, Seen, Slot, Want

T = TypeVar("T")


class Balanced:
    """The balancer in front of one gateway, through the doors of its peers. `name` is the gateway's, for sentences."""

    def __init__(self, name: str, doors: Sequence[Door], *, slots: Collection[Slot]) -> None:
        self._name = name
        self._doors = tuple(doors)
        self._slots = tuple(sorted(slots))

    def state(self) -> Seen:
        return Seen(tuple(self._each(lambda door: self._looked(door))))

    def steer(self, weights: Mapping[Slot, int], *, seconds: int = 0, fence: int) -> bool:
        self._refuse_strange(weights)
        wants = {slot: Want("ready" if weight else None, weight) for slot, weight in weights.items()}
        return self._set(wants, seconds=seconds, fence=fence)

    def drain(self, slot: Slot | None = None, *, fence: int) -> bool:
        return self._set({one: Want("drain") for one in self._chosen(slot)}, seconds=0, fence=fence)

    def ready(self, slot: Slot | None = None, *, fence: int) -> bool:
        return self._set({one: Want("ready") for one in self._chosen(slot)}, seconds=0, fence=fence)

    def sessions(self, slot: Slot | None = None) -> int:
        return self.state().sessions(slot)

    def forget(self, slot: Slot, *, keep: Collection[str], fence: int) -> int:
        self._chosen(slot)
        return sum(self._each(lambda door: door.forget(slot, keep=keep, fence=fence)))

    def close(self) -> None:
        for door in self._doors:
            door.close()

    def _set(self, wants: Mapping[Slot, Want], *, seconds: int, fence: int) -> bool:
        return all(self._each(lambda door: self._made_so(door, wants, seconds=seconds, fence=fence)))

    def _made_so(self, door: Door, wants: Mapping[Slot, Want], *, seconds: int, fence: int) -> bool:
        """Set what differs on one peer and look again; True when nothing differed."""
        before = self._looked(door)
        already = not differs(before, wants)
        # A trial is asked for again to last longer, and ended by asking for the same for good.
        if already and not seconds and not before.trial_until:
            return True
        door.set(wants, seconds=seconds, fence=fence)
        after = self._looked(door)
        if (say := differs(after, wants)) or bool(after.trial_until) != bool(seconds):
            what = say or ("the trial is over" if seconds else "it still is a trial")
            raise RetryLater(f"{door.name} was told and does not show it: {what}.", code="not_set")
        return already

    def _looked(self, door: Door) -> Peer:
        peer = door.look()
        if missing := [slot for slot in self._slots if peer.server(slot) is None]:
            what = f"slot {missing[0]}" if missing[0] else "it"
            raise GiveUp(f"{door.name} has no server for {what} of {self._name}.", code="server_unknown")
        return peer

    def _chosen(self, slot: Slot | None) -> tuple[Slot, ...]:
        if slot is None:
            return self._slots
        self._refuse_strange([slot])
        return (slot,)

    def _refuse_strange(self, slots: Collection[Slot]) -> None:
        if strange := [slot for slot in slots if slot not in self._slots]:
            raise GiveUp(f"The balancer in front of {self._name} knows no slot {strange[0]}.", code="server_unknown")

    def _each(self, act: Callable[[Door], T]) -> list[T]:
        """Ask all doors at once. One that fails does not keep the others from being set; its failure is raised then."""
        if not self._doors:
            raise GiveUp(f"The balancer in front of {self._name} has no peers.", code="no_peers")
        if len(self._doors) == 1:
            return [act(self._doors[0])]
        with ThreadPoolExecutor(len(self._doors)) as pool:
            asked = [pool.submit(act, door) for door in self._doors]
        failures = [failure for one in asked if (failure := one.exception())]
        # A no is final: it goes before a peer that only did not answer.
        for failure in sorted(failures, key=lambda one: isinstance(one, RetryLater)):
            raise failure
        return [one.result() for one in asked]


def differs(peer: Peer, wants: Mapping[Slot, Want]) -> str:
    """What of the wants this peer does not show, or ""."""
    for slot, want in wants.items():
        server = peer.server(slot)
        if server is None:
            return f"no server for slot {slot}"
        if want.admin is not None and server.admin != want.admin:
            return f"{server.name} is {server.admin}"
        if want.weight is not None and server.weight != want.weight:
            return f"{server.name} has weight {server.weight}"
    return ""
