"""The in-memory gateway's configurations, as fleet/ocgate/{configure,confs}.py has them. No Django.

What one person may change is decided by the very list that real gateways hold.
"""

from __future__ import annotations

from fleet.errors import GiveUp
from fleet.gateways.holdings import sha256_of
from fleet.gateways.machine import Machine, Place, Slot
from fleet.gateways.simulated_trust import TrustVerbs
from fleet.ocgate import allow, optioncheck, options
from fleet.ports import Configured, Finding, Statement


def of_slot(machine: Machine, slot: Slot) -> str:
    """SHA-256 of the configuration that a slot was started with."""
    return slot.conf or sha256_of(machine.holdings.agreed)


def brought_by(machine: Machine, slot: Slot) -> str:
    """SHA-256 of the configuration that a commit of the slot would make the agreed one; "" when it brings none."""
    return slot.conf if slot.brings and slot.conf != sha256_of(machine.holdings.agreed) else ""


def usable(machine: Machine, sha256: str) -> str:
    """The text that a slot may be started with; "" is the agreed one."""
    held = machine.holdings
    if sha256 in ("", sha256_of(held.agreed)):
        return held.agreed
    if sha256 not in held.confs:
        raise GiveUp(f"Configuration {sha256[:12]} is not on {machine.name}; bring it first.", code="unknown_conf")
    if sha256 not in (*held.agreed_before, *held.words):
        refuse_beyond(machine, held.confs[sha256])
    return held.confs[sha256]


def refuse_beyond(machine: Machine, text: str) -> None:
    if named := allow.beyond(machine.holdings.agreed, text):
        say = f"One person may not change {', '.join(named[:12])} on {machine.name}; approvers must sign that."
        raise GiveUp(say, code="not_allowed")


def agree(machine: Machine, sha256: str) -> bool:
    """Make a kept configuration the agreed one and write the file; whether all of it was so already."""
    held, old = machine.holdings, sha256_of(machine.holdings.agreed)
    text = usable(machine, sha256)
    if held.agreed == held.conf == text:
        return True
    held.confs |= {old: held.agreed, sha256_of(text): text}
    held.agreed_before += [known for known in (old, sha256_of(text)) if known not in held.agreed_before]
    for slot in machine.slots.values():
        slot.conf = slot.conf or old
        slot.until = 0.0 if slot.conf == sha256_of(text) else slot.until
    held.agreed = held.conf = text
    return False


def settle(machine: Machine, to: Place) -> None:
    """Commit a slot: what it brings becomes the agreed configuration."""
    brought = brought_by(machine, machine.slots[to.slot])
    moved = machine.steering.committed != to
    if brought and not moved:
        machine.steering.previous, machine.steering.restored = to, False
    if brought or moved:
        machine.holdings.previous_conf = sha256_of(machine.holdings.agreed) if brought else ""
    machine.settle(to)
    if brought:
        agree(machine, brought)


def is_loaded(machine: Machine, slot: Slot, *, conf: str) -> bool:
    """Whether another configuration was loaded into the slot than the one (`conf`, or the agreed one) to go back to."""
    return bool(slot.before) and bool(brought_by(machine, slot) or conf == slot.before)


def load(machine: Machine, slot: Slot, sha256: str) -> None:
    old = of_slot(machine, slot)
    slot.before = slot.before if brought_by(machine, slot) else old
    slot.conf, slot.brings, slot.until = sha256, sha256 != sha256_of(machine.holdings.agreed), 0.0


def begin(machine: Machine, slot: Slot, sha256: str) -> None:
    """A slot was started with a configuration; "" is the agreed one."""
    agreed = sha256_of(machine.holdings.agreed)
    slot.conf = sha256 or agreed
    slot.brings = slot.conf != agreed


def runs_with(machine: Machine, slot: Slot, sha256: str) -> bool:
    """Whether a start with this configuration finds its work done; "" is the agreed one."""
    return of_slot(machine, slot) == sha256 if sha256 else not brought_by(machine, slot)


def findings(text: str, version: str) -> list[Finding]:
    """What the text alone says against it, as on a real gateway."""
    found = optioncheck.problems(text, version)
    return [Finding("error" if one.level == "error" else "warning", one.code, one.say) for one in found]


class ConfVerbs(TrustVerbs):
    """The verbs of fleet/ocgate/configure.py."""

    def configure(self, conf: str, *, statement: Statement | None = None, fence: int) -> Configured:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            held, sha256 = self.machine.holdings, sha256_of(conf)
            if statement is not None:
                fields = self._read(statement.text, kind="config", now=now)
                self._approved(statement.signatures)
                if fields.get("sha256") != sha256:
                    raise GiveUp("The config statement names another configuration.", code="statement_bad")
            elif sha256 not in (sha256_of(held.agreed), *held.agreed_before):
                refuse_beyond(self.machine, conf)
            changed = tuple(options.names(options.changed(held.agreed, conf)))
            done = Configured(sha256, sha256 in held.confs, changed, options.way(held.agreed, conf))
            with self._changed(None if done.already else "configure"):
                held.confs[sha256] = conf
                if statement is not None and sha256 not in held.words:
                    held.words.append(sha256)
            return done

    def adopt_conf(self, sha256: str, *, fence: int) -> bool:
        with self._asked(changes=True):
            self.machine.admit(fence)
            held = self.machine.holdings
            if sha256_of(held.conf) != sha256:
                raise GiveUp(f"ocserv.conf on {self.machine.name} is another one by now.", code="conf_differs")
            if held.agreed == held.conf:
                return True
            if sha256 not in (*held.agreed_before, *held.words):
                refuse_beyond(self.machine, held.conf)
            with self._changed("adopt_conf"):
                held.confs[sha256] = held.conf
                agree(self.machine, sha256)
            return False

    def agree(self, conf: str, *, fence: int) -> bool:
        with self._asked(changes=True):
            self.machine.admit(fence)
            held = self.machine.holdings
            if already := held.agreed == held.conf == usable(self.machine, conf):
                return already
            with self._changed("agree"):
                agree(self.machine, conf)
            return False

    def reload(self, slot: int, conf: str, *, seconds: int = 0, fence: int) -> bool:
        with self._asked(changes=True) as now:
            self.machine.admit(fence)
            place = self.machine.running(slot)
            text, old = usable(self.machine, conf), of_slot(self.machine, place)
            if old == conf:
                if seconds and place.until:
                    with self._changed("renew"):
                        place.until = now + seconds
                return True
            if options.way(self.machine.holdings.confs.get(old, self.machine.holdings.agreed), text) == "restart":
                say = "ocserv would not notice all of the difference; start it in a free slot."
                raise GiveUp(say, code="not_reloadable")
            with self._changed("reload"):
                load(self.machine, place, conf)
                place.until = now + seconds if seconds and place.brings else 0.0
            return False
