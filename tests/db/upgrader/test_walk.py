"""Any order of people, faults and killed workers: the rules hold after every step, and there is always a way on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from approvals import audit
from approvals.errors import Refused
from fleet.models import Gateway
from fleet.ports import Gateway as Port
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import hint
from upgrader.models import Rollout, StepRun
from upgrader.states import ACTION_STATES, ROLLOUT_OVER, R, S

PEOPLE = ["promote", "hold", "resume", "roll_back"]
FAULTS = ["away", "back", "disk_full", "disk_free", "bad", "reboot", "lose"]
GATEWAYS = ["gw-1", "gw-2", "gw-3"]
moves = st.one_of(
    st.tuples(st.just("turn"), st.sampled_from(["1", "5", "25"])),
    st.tuples(st.sampled_from(PEOPLE), st.just("")),
    st.tuples(st.sampled_from(FAULTS), st.sampled_from(GATEWAYS)),
    st.tuples(st.just("kill"), st.sampled_from(["0", "1", "2", "3"])),
)


class KilledWorker(BaseException):
    """As in test_killed: no except clause of ours sees it."""


class Walk:
    """One fleet and one rollout, and everything that can happen to them."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.rollout: Rollout = self.fleet.started()
        self.kill_in = -1  # calls of a gateway until the worker is killed
        self.rebooted = False
        self.fleet.opener = self.open

    def open(self, row: Gateway) -> Port:
        walk, gateway = self, self.fleet.machines[row.name]

        class Mortal:
            def __getattr__(self, name: str) -> Any:
                if walk.kill_in == 0 and name != "close":
                    walk.kill_in = -1
                    raise KilledWorker
                walk.kill_in -= walk.kill_in > 0
                return getattr(gateway, name)

        return Mortal()

    def do(self, what: str, which: str) -> None:
        if what == "turn":
            self.turn(int(which))
        elif what == "kill":
            self.kill_in = int(which)
        elif what in PEOPLE:
            self.ask(what)
        else:
            self.happen(what, which)

    def turn(self, seconds: int) -> None:
        for _ in range(seconds):
            try:
                self.fleet.turn(1)
            except KilledWorker:
                self.fleet.seconds += 1

    def ask(self, action: str) -> None:
        self.rollout.refresh_from_db()
        allowed = R(self.rollout.state) in ACTION_STATES[action]
        said = ""
        try:
            self.fleet.act(action, self.rollout)
        except Refused as no:
            said = no.say
        assert said.endswith(".") if said else allowed

    def happen(self, what: str, which: str) -> None:
        gateway = self.fleet.machines[which]
        faults = gateway.faults
        match what:
            case "away" | "back":
                faults.unreachable = what == "away"
            case "disk_full" | "disk_free":
                faults.disk_full = what == "disk_full"
            case "bad":
                faults.bad_logins_after[NEW] = 4
            case "lose":
                faults.lose_answers = 1
            case _:
                gateway.reboot()
                self.rebooted = True

    def rules_hold(self) -> None:
        assert audit.verify() is None
        for gateway in self.fleet.machines.values():
            assert sum(gateway.machine.weights().values()) == 100
            assert gateway.machine.steering.committed is not None
            if not self.rebooted:
                assert gateway.machine.cut == [], "a user was cut"
        assert not StepRun.objects.filter(error__contains="A fault of ours").exists()
        self.rollout.refresh_from_db()
        assert self.rollout.reason

    def way_on(self) -> None:
        """Faults end, a person rolls back: every gateway must come back to the old release."""
        for gateway in self.fleet.machines.values():
            gateway.faults.unreachable = gateway.faults.disk_full = False
            gateway.faults.lose_answers = 0
        self.kill_in = -1
        self.turn(130)
        self.rollout.refresh_from_db()
        if R(self.rollout.state) not in ROLLOUT_OVER:
            self.ask("roll_back")
            self.turn(130)
        self.rollout.refresh_from_db()
        assert R(self.rollout.state) in ROLLOUT_OVER, self.rollout.reason
        assert not StepRun.objects.filter(state=S.CLAIMED).exists()
        self.serves_one_release()

    def serves_one_release(self) -> None:
        for gateway in self.fleet.machines.values():
            place = gateway.machine.steering.committed
            assert place is not None
            assert place.release in (OLD, NEW)
            assert gateway.machine.weights() == {place.slot: 100}


class TestWalk(TestCase):
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.lists(moves, min_size=3, max_size=12))
    def test_rules_hold_whatever_happens(self, steps: list[tuple[str, str]]) -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            override_settings(REPOSITORY=Path(folder) / "r", SNAPSHOTS=Path(folder) / "s"),
            mock.patch.object(hint, "send"),
        ):
            walk = Walk()
            for what, which in steps:
                walk.do(what, which)
                walk.rules_hold()
            walk.way_on()
