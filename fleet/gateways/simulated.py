"""One gateway in memory, an adapter of fleet.ports.Gateway: the protocol's semantics without a machine. No Django.

The controller's tests and `script/demo --simulated` run on it. `effects` counts what really changed, not calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from typing import Literal

from fleet.errors import GiveUp
from fleet.gateways import answers
from fleet.gateways import simulated_conf as confs
from fleet.gateways.holdings import sha256_of
from fleet.gateways.machine import Place, Slot
from fleet.gateways.simulated_facts import DISK_NEEDED, conf_changed, disk_free, raw_facts, snapshot
from fleet.gateways.simulated_front import FrontVerbs, left
from fleet.ports import (
    Archive,
    Checked,
    Drain,
    Facts,
    Finding,
    Probed,
    Progress,
    ReleaseFiles,
    Restored,
    Retired,
    Session,
    Shifted,
    SlotMetrics,
    Staged,
    Started,
    Weights,
)


class MemoryGateway(FrontVerbs):
    """One simulated gateway. It lives as long as its process, or where `hold` keeps it, for all who come there."""

    def facts(self) -> Facts:
        with self._asked() as now:
            return answers.facts(raw_facts(self.machine, now))

    def stage(self, files: ReleaseFiles, *, fence: int, progress: Progress) -> Staged:
        with self._asked(changes=True):
            self.machine.admit(fence)
            known = self.machine.releases.get(files.release)
            self._may_stage(files, known)
            self._may_go_down(files)
        version = str(json.loads(files.manifest)["version"])
        if known and not files.mend:
            return Staged(files.release, files.digest, version, already=True)
        for part in range(1, 11):
            # Outside the lock: a restore never waits for a stage.
            self.world.sleep(self.world.pace / 10)
            progress("bundle", files.size * part // 10, files.size)
        with self._asked(changes=True):
            self.machine.admit(fence)
            if not (already := files.release in self.machine.releases and not files.mend):  # else somebody was faster
                with self._changed("stage"):
                    self.machine.releases[files.release] = (files.digest, version)
                    self._hold_release(files)
            return Staged(files.release, files.digest, version, already)

    def check(self, release: str, slot: int, *, conf: str = "", over: str = "") -> Checked:
        with self._asked():
            self._staged(release)
            text = confs.usable(self.machine, conf)
            findings = list(self._findings(release, self.machine.slot(slot), over=over))
            findings += confs.findings(text, self.machine.releases[release][1])
            return Checked(ok=all(finding.level != "error" for finding in findings), findings=tuple(findings))

    def start(self, release: str, slot: int, *, conf: str = "", over: str = "", fence: int) -> Started:
        self.world.sleep(self.world.pace / 5)
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            self._staged(release)
            self._must_steer()
            place = self.machine.slot(slot)
            if already := place.running and place.release == release and confs.runs_with(self.machine, place, conf):
                return self._started(place, already=already)
            confs.usable(self.machine, conf)
            if place.running:
                raise GiveUp(f"Slot {slot} of {self.machine.name} runs {place.release}.", code="slot_busy")
            self._may_run(release, self.machine.releases[release][0])
            with self._changed(None):
                self.machine.launch(place, release, now)
                confs.begin(self.machine, self.machine.slot(slot), conf)
            self.machine.holdings.ran.append(release)
            return self._started(self.machine.slot(slot), already=False)

    def probe(self, slot: int, *, user: str, password: str) -> Probed:
        with self._asked(changes=True) as now:
            place = self.machine.running(slot)
            # A login like any other: it counts, and it meets the same fault.
            if not password or self.machine.refuses(place, f"{user}:{now}"):
                place.auth_failures += 1
                return Probed(slot, False, "password", 4.0, 0.0, f"Slot {slot} refused the password of {user}.")
            place.logins += 1
            return Probed(slot, True, "done", 4.0, 35.0, f"{user} signed in on slot {slot} and out again.")

    def shift(self, weights: Weights, *, seconds: int, fence: int, after_ms: int = 0) -> Shifted:
        turn = self._wait(after_ms, fence=fence)
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            self._take_turn(turn)
            self._must_steer()
            if sum(weights.values()) != 100:
                raise GiveUp(f"The weights {dict(weights)} do not sum to 100.", code="bad_request")
            wanted = {self.machine.running(slot).number: weight for slot, weight in weights.items() if weight}
            steering = self.machine.steering
            already = steering.trial == wanted
            with self._changed("renew" if already else "shift"):
                steering.trial, steering.until = wanted, now + seconds
            return Shifted(dict(weights), self._their(now + seconds), self._their(now), already)

    def commit(self, slot: int, *, fence: int) -> bool:
        with self._asked(changes=True):
            self.machine.admit(fence)
            self._take_turn()
            place = Place(slot, self.machine.running(slot).release)
            steering = self.machine.steering
            brings = confs.brought_by(self.machine, self.machine.slot(slot))
            if already := steering.committed == place and steering.trial is None and not brings:
                return already
            if not self.machine.weights().get(slot) and not (steering.committed and steering.committed.slot == slot):
                say = f"No new client of {self.machine.name} goes to slot {slot}: its trial is over. Shift there first."
                raise GiveUp(say, code="trial_over")
            with self._changed("commit"):
                confs.settle(self.machine, place)
                self._remember_counter(place.release)
            return False

    def drain(self, slot: int, *, names: bool = False) -> Drain:
        with self._asked() as now:
            sessions = self.machine.on_slot(self.machine.slot(slot).number)
            oldest = max((now - session.since for session in sessions), default=0.0)
            users = tuple(left(session) for session in sessions) if names else ()
            return Drain(slot, len(sessions), int(oldest), idle=0, cookies=len(sessions), users=users)

    def sessions(self) -> list[Session]:
        with self._asked():
            return self.machine.sessions()

    def signed_out(self) -> frozenset[str]:
        with self._asked():
            return frozenset(self.machine.signed_out)

    def retire(self, slot: int, *, cut_at_most: int, fence: int) -> Retired:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            place = self.machine.slot(slot)
            if not place.running:
                self.machine.slots[slot] = Slot(slot)
                return Retired(slot, (), already=True)
            self._may_retire(slot, cut_at_most)
            with self._changed("retire"):
                lost = self.machine.stop(place, now, failed=False)
            return Retired(slot, tuple((session.id, session.user) for session in lost), already=False)

    def restore(self, to: Literal["committed", "previous"], *, fence: int, cut_at_most: int | None = None) -> Restored:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            self._take_turn()
            steering = self.machine.steering
            target = self._target(to)
            if self.faults.no_nft:
                return self._restore_front(target, now, previous=to == "previous", at_most=cut_at_most)
            place = self.machine.slot(target.slot)
            runs = place.running and place.release == target.release
            conf = self.machine.holdings.previous_conf if to == "previous" and not steering.restored else ""
            loaded = confs.is_loaded(self.machine, place, conf=conf)
            already = runs and steering.trial is None and steering.committed == target and not loaded
            if not already:
                with self._changed("restore"):
                    if conf:
                        confs.agree(self.machine, conf)
                    target = target if runs else self._relaunch(target, now)
                    if loaded:
                        confs.load(self.machine, place, place.before)
                    confs.settle(self.machine, target)
                    if to == "previous":
                        steering.previous, steering.restored = None, True
            weights = {target.slot: 100}
            return Restored(target.slot, target.release, weights, not runs, 0, self._their(now), already)

    def snapshot(self) -> Archive:
        with self._asked() as now:
            return snapshot(self.machine, now)

    def metrics(self, *, probes: Collection[str] = ()) -> list[SlotMetrics]:
        with self._asked() as now:
            return list(self.machine.metrics(now))

    def close(self) -> None:
        """Nothing is open."""

    def sign_in(self, user: str, *, remote: str) -> Session | None:
        """Let a user of the test sign in, as steered; None when the login failed."""
        with self._lock:
            now = self.world.clock()
            self.machine.advance(now)
            id = hashlib.sha256(f"{user}:{remote}:{now}".encode()).hexdigest()[:32]
            session = self.machine.sign_in(now, id=id, user=user, remote=remote)
            if session is not None:
                self.machine.guests[session.id] = session
            return session

    def sign_out(self, session: Session) -> None:
        """Let a user of the test leave."""
        with self._lock:
            self.machine.sign_out(session)

    def reboot(self) -> None:
        """Every session ends, the trial too; the committed slot serves, as after a boot of a real gateway."""
        with self._lock:
            self.machine.reboot(self.world.clock())

    def _target(self, to: str) -> Place:
        steering = self.machine.steering
        target = steering.previous if to == "previous" and not steering.restored else steering.committed
        if target is None:
            raise GiveUp(f"{self.machine.name} has no {to} slot to go back to.", code="nothing_to_restore")
        return target

    def _relaunch(self, target: Place, now: float) -> Place:
        slot = self.machine.slot(target.slot)
        if slot.running:
            slot = next((other for other in self.machine.slots.values() if not other.running), slot)
            if slot.running:
                raise GiveUp(f"All slots of {self.machine.name} run another release; retire one.", code="no_slot_free")
        self.machine.launch(slot, target.release, now)
        return Place(slot.number, target.release)

    def _staged(self, release: str) -> None:
        if release not in self.machine.releases:
            raise GiveUp(f"{release} is not on {self.machine.name}; stage it first.", code="unknown_release")

    def _may_stage(self, files: ReleaseFiles, known: tuple[str, str] | None) -> None:
        name = self.machine.name
        if known and known[0] != files.digest:
            raise GiveUp(f"{name} holds another {files.release} with digest {known[0][:12]}.", code="release_differs")
        if not known and disk_free(self.machine) < DISK_NEEDED:
            say = f"{name} has {disk_free(self.machine) // 10**6} MB free and needs {DISK_NEEDED // 10**6} MB."
            raise GiveUp(say, code="not_enough_disk")

    def _may_retire(self, slot: int, cut_at_most: int) -> None:
        name, steering = self.machine.name, self.machine.steering
        if self.machine.weights().get(slot) or (steering.committed and steering.committed.slot == slot):
            raise GiveUp(f"Slot {slot} of {name} gets new clients or is the committed one.", code="slot_busy")
        users = len(self.machine.on_slot(slot))
        if users > cut_at_most:
            say = f"Slot {slot} of {name} has {users} users; {cut_at_most} may be cut. It goes on."
            raise GiveUp(say, code="has_sessions")

    def _findings(self, release: str, slot: Slot, *, over: str) -> Iterator[Finding]:
        name = self.machine.name
        if lower := self._lower(release, self.machine.releases[release][0]):
            yield Finding("error", "downgrade", lower)
        if slot.running and slot.release != release:
            yield Finding("error", "slot_busy", f"Slot {slot.number} of {name} runs {slot.release}.")
        if conf_changed(self.machine) and sha256_of(self.machine.holdings.conf) != over:
            yield Finding("error", "conf_changed", f"ocserv.conf on {name} was edited after it was agreed.")
        if self.faults.no_nft:
            yield Finding("note", "no_steering", f"{name} can't steer; a release is replaced in place.")
        if disk_free(self.machine) < DISK_NEEDED:
            yield Finding("error", "not_enough_disk", f"{name} has less than {DISK_NEEDED // 1_000_000} MB free.")

    def _started(self, slot: Slot, *, already: bool) -> Started:
        return Started(slot.number, slot.release, slot.version, slot.pid, 0 if already else 400, already)
