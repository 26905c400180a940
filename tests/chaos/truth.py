"""What must hold whatever happens. Looked at from outside: the database's file, the gateways' own memory, an export."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from approvals import audit, verify
from approvals.chain import check
from fleet.models import Gateway
from tests.chaos.room import Room
from tests.chaos.town import Town
from tests.db.upgrader.world import OLD
from upgrader.models import Rollout
from upgrader.states import ROLLOUT_MOVES, ROLLOUT_OVER, STEP_MOVES, UPGRADE_MOVES, WAVE_MOVES, R, S

ENOUGH = 12
Table = Mapping[str, frozenset[str]]
ROWS: dict[str, Mapping[Any, frozenset[Any]]] = {"rollout": ROLLOUT_MOVES, "wave": WAVE_MOVES, "upgrade": UPGRADE_MOVES}


class Broken(BaseException):
    """So much is wrong that there is no use in going on."""


class Truth:
    """Looks at the database after each commit, and at everything when all is calm."""

    def __init__(self, town: Town, database: Path) -> None:
        self.town = town
        self.database = database
        self.reopen()
        self.broken: list[tuple[str, str]] = []
        self.moves = 0
        self.left_over: set[str] = set()  # gateways that a rollout which nobody remembers has left a slot on
        self.expected = dict.fromkeys(town.gateways, OLD)  # what each gateway serves by what our rows went through

    def reopen(self) -> None:
        """Look at the file anew; what was seen in another one says nothing about this one."""
        self.base = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)
        self.room = Room(self.base)
        self.known: dict[str, dict[int, tuple[str, int]]] = {name: {} for name in ROWS}
        self.open_steps: dict[int, tuple[str, int]] = {}
        self.ended_steps: set[int] = set()
        self.fences: dict[str, int] = {}

    def break_(self, what: str, say: str) -> None:
        self.town.told(f"BROKEN {what}: {say}")
        self.broken.append((what, say))
        if len(self.broken) >= ENOUGH:
            raise Broken

    def after_commit(self) -> None:
        """What changed with this commit, and whether it may."""
        for name, table in ROWS.items():
            self._rows(name, table)
        self._steps()
        for gateway, fence in self.base.execute("SELECT name, fence FROM fleet_gateway"):
            if fence < self.fences.get(gateway, 0):
                self.break_("fence", f"{gateway}: our fence went from {self.fences[gateway]} to {fence}")
            self.fences[gateway] = fence

    def _rows(self, name: str, table: Mapping[Any, frozenset[Any]]) -> None:
        known = self.known[name]
        for row, state, version in self.base.execute(f"SELECT id, state, version FROM upgrader_{name}").fetchall():
            before, seen = known.get(row, (state, version))
            known[row] = (state, version)
            if state == before:
                continue
            self.moves += 1
            self.town.told(f"move: {name} {row}: {before} -> {state}")
            if not reaches(table, before, state, version - seen):
                self.break_("moves", f"{name} {row}: {before} -> {state} in {version - seen} moves")
            if name == "upgrade":
                self._upgrade(row, before, state)

    def _upgrade(self, row: int, before: str, state: str) -> None:
        gateway, old, new, slot = self.base.execute(
            "SELECT g.name, u.from_release, r.name, u.from_slot FROM upgrader_upgrade u"
            " JOIN fleet_gateway g ON g.id = u.gateway_id JOIN upgrader_wave w ON w.id = u.wave_id"
            " JOIN upgrader_rollout o ON o.id = w.rollout_id JOIN releases_release r ON r.id = o.release_id"
            " WHERE u.id = ?", (row,)).fetchone()  # fmt: skip
        if before == "committing" and state in ("draining", "done"):
            self.expected[gateway] = new
        if before == "rolling_back" and state in ("rolled_back", "skipped") and slot:
            self.expected[gateway] = old
        if (before, state) == ("planned", "upgrading"):
            process = self.town.processes.current
            assert process is not None
            before = str(datetime.fromtimestamp(process.began, UTC).replace(tzinfo=None))
            for what, say in self.room.begun(row, before=before):
                self.break_(what, say)

    def _steps(self) -> None:
        now = {
            row: (state, fence)
            for row, state, fence in self.base.execute(
                "SELECT id, state, fence FROM upgrader_steprun WHERE state NOT IN ('done', 'dropped')"
            )
        }
        for row in self.open_steps.keys() - now.keys():
            self.ended_steps.add(row)
            (state,) = self.base.execute("SELECT state FROM upgrader_steprun WHERE id = ?", (row,)).fetchone()
            self._step(row, state)
        for row, (state, _) in now.items():
            if row in self.ended_steps:
                self.break_("moves", f"step {row} had ended and is {state} again")
            if row in self.open_steps and self.open_steps[row][0] != state:
                self._step(row, state)
        self.open_steps = now

    def _step(self, row: int, state: str) -> None:
        before = self.open_steps[row][0]
        if S(state) not in STEP_MOVES[S(before)]:
            self.break_("moves", f"step {row}: {before} -> {state}")

    def always(self) -> None:
        """What is cheap enough to be looked at all the time."""
        for name, gateway in self.town.gateways.items():
            for what, say in gateway.truth.broken:
                self.break_(what, say)
            gateway.truth.broken.clear()
            gateway.machine.advance(self.town.seconds)  # time passes there, also while nobody asks
            running = {slot.release for slot in gateway.machine.slots.values() if slot.running}
            if more := running - gateway.truth.told:
                self.break_("releases", f"{name} runs {', '.join(sorted(more))}, and nobody asked for it")
        for front in self.town.fronts.values():
            for say in front.broken:
                self.break_("outside", say)
            front.broken.clear()
        for failure in self.town.failures:
            self.break_("fault of ours", failure)
        self.town.failures.clear()

    def at_the_end(self) -> None:
        """All faults are mended, all users gone, everybody did what was asked of him: now it must add up."""
        self.always()
        self.after_commit()
        self._settled()
        self._gateways()
        self._record()

    def _settled(self) -> None:
        for rollout in Rollout.objects.exclude(state__in=[*ROLLOUT_OVER, R.PLANNED]):
            self.break_("way on", f"rollout {rollout.pk} is {rollout.state}: {rollout.reason}")
        for row, (state, _) in self.open_steps.items():
            name, due, lease = self.base.execute(
                "SELECT name, due_at, lease_until FROM upgrader_steprun WHERE id = ?", (row,)
            ).fetchone()
            if state == "claimed" or (state == "due" and name not in ("drain", "retire")):
                self.break_("settled", f"step {row} ({name}) is {state} (due {due}, lease {lease}) when all is over")

    def _gateways(self) -> None:
        for name, release in self.expected.items():
            self._gateway(name, release)

    def _gateway(self, name: str, release: str) -> None:
        machine, row = self.town.gateways[name].machine, Gateway.objects.get(name=name)
        committed = machine.steering.committed
        if committed is None or committed.release != release:
            self.break_("views", f"{name} has {committed} committed, and our rows say {release}")
            return
        if machine.weights() != {committed.slot: 100}:
            self.break_("releases", f"{name} sends new users to {machine.weights()} when all is over")
        if front := self.town.fronts.get(name):
            for say in front.strayed(committed.slot):
                self.break_("releases", say)
        if row.release != release or row.fence < self.town.gateways[name].truth.fence:
            self.break_("views", f"{name}: the row says {row.release} and fence {row.fence}, the gateway {committed}")
        running = sorted(slot.number for slot in machine.slots.values() if slot.running)
        died = machine.slots[committed.slot].failed  # of what the faults did; nobody starts it but a person
        if name not in self.left_over and running != ([] if died else [committed.slot]):
            self.break_("slots", f"{name} runs slots {running} when all is over, and {committed} is committed")

    def _record(self) -> None:
        out = io.StringIO()
        audit.export(out)
        seen = check(verify.read(out.getvalue().splitlines(keepends=True)))
        if seen.finding:
            self.break_("record", seen.sentence())
        cut = sum(len(json.loads(row[0])) for row in self.base.execute("SELECT cut FROM upgrader_upgrade"))
        really = sum(len(asked.cut) for gateway in self.town.gateways.values() for asked in gateway.truth.asked)
        if cut > really:
            self.break_("cut", f"the record names {cut} users who were cut, and {really} were")


def reaches(table: Mapping[Any, frozenset[Any]], before: str, after: str, moves: int) -> bool:
    """Whether so many legal moves lead from one state to the other."""
    here: Iterable[Any] = [before]
    for _ in range(min(moves, 4)):
        here = {follows for state in here for follows in table[state]}
        if after in here:
            return True
    return False
