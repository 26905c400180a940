"""The in-memory gateway: shifts that wait, messages, and what it does in place of steering where nft is missing."""

from __future__ import annotations

from fleet.errors import GiveUp
from fleet.gateways import simulated_conf as confs
from fleet.gateways.machine import Place, Slot
from fleet.gateways.simulated_conf import ConfVerbs
from fleet.gateways.simulated_facts import NO_NFT
from fleet.ocgate.shapes import NOTICE
from fleet.ports import Left, Replaced, Replacement, Restored, Session


class FrontVerbs(ConfVerbs):
    """The verbs of fleet/ocgate/{front,message}.py, and the wait of a shift."""

    def replace(self, wish: Replacement, *, fence: int) -> Replaced:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            self._take_turn()
            if not self.faults.no_nft:
                say = f"{self.machine.name} steers: start {wish.release} in a free slot and shift."
                raise GiveUp(say, code="steers")
            if (place := self._on_trial(wish)) is not None:
                with self._changed("renew"):
                    self.machine.steering.until = now + wish.seconds
                return self._replaced(place, (), now, already=True)
            place, old = self._place_for(wish), self._front()
            users = self.machine.on_slot(old.slot)
            self._may_end(old, wish.cut_at_most)
            with self._changed("replace"):
                self._put(wish, place, old, now)
            cut = tuple((session.id, session.user) for session in users)
            return self._replaced(self.machine.slot(place.number), cut, now, already=False)

    def message(self, slot: int, text: str, *, fence: int) -> bool:
        with self._asked(changes=True):
            self.machine.admit(fence)
            place = self.machine.running(slot)
            if NOTICE.fullmatch(text) is None:
                raise GiveUp("The request was refused: text.", code="bad_request")
            if already := place.message == text:
                return already
            with self._changed("message"):
                place.message = text
            return False

    def _wait(self, after_ms: int, *, fence: int) -> int:
        """Take a turn and wait; 0 for a shift that does not wait."""
        if not after_ms:
            return 0
        with self._asked(changes=True):
            self.machine.admit(fence)
            self._take_turn()
            turn = self.machine.steering.turn
        # Outside the lock: a restore never waits for a shift that waits.
        self.world.sleep(after_ms / 1000)
        return turn

    def _take_turn(self, mine: int = 0) -> None:
        """What steers cancels a shift that waits; `mine` is the turn of one that has waited."""
        if mine and mine != self.machine.steering.turn:
            say = f"{self.machine.name} was steered otherwise while the shift waited; it was not applied."
            raise GiveUp(say, code="superseded")
        self.machine.steering.turn += 1

    def _must_steer(self) -> None:
        if self.faults.no_nft:
            raise GiveUp(f"{self.machine.name} can't steer: {NO_NFT}. Replace in place.", code="no_steering")

    def _front(self) -> Place:
        """What serves now."""
        committed = self.machine.steering.committed
        for number in self.machine.weights():
            return Place(number, self.machine.slots[number].release)
        if committed is None:
            raise GiveUp(f"Nothing serves on {self.machine.name}.", code="slot_not_running")
        return committed

    def _on_trial(self, wish: Replacement) -> Slot | None:
        """The slot where just this is on trial already."""
        for number in self.machine.steering.trial or {}:
            slot = self.machine.slots[number]
            if slot.release == wish.release and wish.slot in (0, number) and slot.running:
                return slot
        return None

    def _place_for(self, wish: Replacement) -> Slot:
        name = self.machine.name
        if wish.release not in self.machine.releases:
            raise GiveUp(f"{wish.release} is not on {name}; stage it first.", code="unknown_release")
        free = [slot for slot in self.machine.slots.values() if not slot.running and wish.slot in (0, slot.number)]
        if not free or self.machine.steering.back is not None:
            raise GiveUp(f"Another release is on trial on {name}; restore or commit it first.", code="slot_busy")
        confs.usable(self.machine, wish.conf)
        self._may_run(wish.release, self.machine.releases[wish.release][0])
        return free[0]

    def _put(self, wish: Replacement, place: Slot, old: Place, now: float) -> None:
        steering = self.machine.steering
        self.machine.stop(self.machine.slots[old.slot], now, failed=False)
        try:
            self.machine.launch(place, wish.release, now)
        except GiveUp as failed:
            self.machine.launch(self.machine.slots[old.slot], old.release, now)
            say = f"{failed.say} {old.release} was started again and serves."
            raise GiveUp(say, code=failed.code) from failed
        confs.begin(self.machine, self.machine.slot(place.number), wish.conf)
        self.machine.holdings.ran.append(wish.release)
        steering.back, steering.trial, steering.until = old, {place.number: 100}, now + wish.seconds

    def _replaced(self, slot: Slot, cut: tuple[tuple[str, str], ...], now: float, *, already: bool) -> Replaced:
        until = self._their(self.machine.steering.until)
        return Replaced(slot.number, slot.release, slot.version, cut, until, 0 if already else 400, already)

    def _may_end(self, old: Place, most: int | None) -> None:
        if most is not None and (users := len(self.machine.on_slot(old.slot))) > most:
            say = f"Slot {old.slot} of {self.machine.name} has {users} users, and {most} may be cut. It goes on."
            raise GiveUp(say, code="has_sessions")

    def _restore_front(self, target: Place, now: float, *, previous: bool, at_most: int | None) -> Restored:
        """Without nft going back is: stop what serves, start the target."""
        steering = self.machine.steering
        serves = self._front()
        already = serves == target and self.machine.slot(serves.slot).running and steering.trial is None
        lost: list[Session] = []
        if not already:
            self._may_end(serves, at_most)
            with self._changed("restore"):
                lost = self.machine.stop(self.machine.slots[serves.slot], now, failed=False)
                self.machine.launch(self.machine.slots[target.slot], target.release, now)
                confs.settle(self.machine, target)
                if previous:
                    steering.previous, steering.restored = None, True
        cut = tuple((session.id, session.user) for session in lost)
        at = self._their(now)
        return Restored(target.slot, target.release, {target.slot: 100}, not already, 0, at, already, cut)


def left(session: Session) -> Left:
    """Simulated users are never idle, and their bytes are not counted."""
    return Left(session.id, session.user, idle_seconds=0, since=session.since, rx=0, tx=0)
