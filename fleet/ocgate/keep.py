"""`ocgate keep`: resident. Restores a flushed table, keeps the committed slot, refreshes what is learnt."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, Optional

from . import (
    VERSION,
    drain,
    front,
    journal,
    learn,
    loaded,
    locks,
    message,
    metrics,
    reload,
    renewed,
    restore,
    roamers,
    slots,
    start,
    steer,
    supervise,
    table,
)
from . import config as configs
from . import state as states
from .config import Config
from .errors import Answered, Refused
from .paths import Paths
from .run import ENV
from .stealth import Stealth

LOOK_SECONDS = 2.0
REFRESH_SECONDS = 10.0
# What was refused is seldom taken a moment later.
AGAIN_SECONDS = 60.0
# Where one slot serves, nobody else takes the users meanwhile.
FRONT_AGAIN_SECONDS = 10.0
# An event seldom comes alone (one per table, chain and set): read what is there, then look once.
SETTLE_SECONDS = 0.02


def keep(paths: Paths) -> int:
    """Run until told to stop. Only one per machine."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        with locks.held(paths.run, "keep", wait=0.5):
            states.write_whole(paths.run / "keep.pid", f"{os.getpid()}\n")
            Keeper(paths, configs.load(paths.config)).run()
        # The lock is free and `nft monitor` has ended: the new one begins as after a reboot.
        renewed.become("keep")
    except _Told:
        return 0
    return 0


class _Told(Exception):
    """SIGTERM came."""


def _leave(_signal: int, _frame: Any) -> None:
    raise _Told


class Keeper:
    """The loop and what it must remember between two rounds."""

    def __init__(self, paths: Paths, config: Config) -> None:
        self._paths, self._config = paths, config
        self._monitor: Optional["subprocess.Popen[bytes]"] = None
        self._refreshed = 0.0
        self._failed_start = 0.0
        self._failed_back = 0.0
        self._idled = 0.0
        self._stealth = Stealth()
        self._program = renewed.own()
        self._leaving = False

    def run(self) -> None:
        """Begin as after a reboot, then watch; until the program's file is a newer one."""
        self._attempt("began", self._begin)
        try:
            while not self._leaving:
                self._await_event(LOOK_SECONDS)
                if self._config.steers:
                    self._steer()
                else:
                    self._attempt("front", self._keep_front)
                self._attempt("reload", self._end_trials)
                self._attempt("message", self._end_messages)
                self._attempt("idle", self._look_who_is_idle)
                self._attempt("spare", self._keep_spare)
                self._attempt("logs", self._rotate)
                self._attempt("program", self._look_for_newer)
        finally:
            if self._monitor is not None:
                self._monitor.kill()
                self._monitor.wait()

    def _steer(self) -> None:
        self._attempt("table", self._restore_table)
        self._attempt("stealth", self._stay_silent)
        self._attempt("committed", self._keep_committed)
        self._attempt("learnt", self._learn)
        self._attempt("roamers", self._end_older)

    def _begin(self) -> None:
        if not self._config.steers:
            self._keep_front()
            return
        slots.ensure_addresses(self._config)
        self._watch()
        self._stay_silent()
        self._restore_table()
        self._keep_committed()

    def _watch(self) -> None:
        self._monitor = subprocess.Popen(["nft", "monitor"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=ENV)

    def _await_event(self, seconds: float) -> None:
        if not self._config.steers:
            time.sleep(seconds)
            return
        if self._monitor is None or self._monitor.stdout is None:
            time.sleep(seconds)
            self._watch()
            return
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._monitor.stdout], [], [], max(0.0, left))
            if not ready:
                return
            said = os.read(self._monitor.stdout.fileno(), 65536)
            if not said:
                self._monitor.wait()
                self._monitor = None
                return
            if b"delete" in said and b"handover" in said:
                time.sleep(SETTLE_SECONDS)
                return

    def _restore_table(self) -> None:
        if table.is_present():
            return
        with locks.held(self._paths.run, steer.LOCK, wait=5.0):
            state = states.load(self._paths)
            if not state.steady:
                return
            began = time.monotonic()
            if table.ensure(self._config, state, self._paths, now=time.time()):
                ms = (time.monotonic() - began) * 1000
                self._tell("table_restored", f"The nftables table was gone; it was loaded again in {ms:.0f} ms.")
                self._refreshed = 0.0

    def _stay_silent(self) -> None:
        # An adopted ocserv has the port itself, or must find it free when it is started again.
        if states.load(self._paths).adopted is None:
            self._stealth.hold(self._config)
        else:
            self._stealth.release()

    def _keep_committed(self) -> None:
        """After a reboot nothing runs: the committed slot is started, and only that."""
        state = states.load(self._paths)
        place = state.committed
        if (
            place is None
            or place.release == "adopted"
            or time.monotonic() - self._failed_start < AGAIN_SECONDS
            and self._failed_start
        ):
            return
        slot = slots.look(place.slot, state, self._paths)
        if slot.running or slot.process.failed or slot.process.returning:
            return
        try:
            with locks.held(self._paths.run, f"slot-{place.slot}", wait=0.0):
                start.launch(self._config, self._paths, release=place.release, number=place.slot)
        except Answered:
            self._failed_start = time.monotonic()
            raise
        self._tell(
            "committed_started",
            f"The committed release {place.release} was not running; it was started in slot {place.slot}.",
        )

    def _keep_front(self) -> None:
        """Without nft: one slot serves on the operator's port, on trial or committed."""
        if self._failed_start and time.monotonic() - self._failed_start < FRONT_AGAIN_SECONDS:
            return
        try:
            say = front.look(self._config, self._paths)
        except Refused:
            self._failed_start = time.monotonic()
            raise
        if say:
            self._tell("front_started", say)

    def _end_messages(self) -> None:
        for say in message.end_over(self._config, self._paths):
            self._tell("message_ended", say)

    def _look_who_is_idle(self) -> None:
        if time.monotonic() - self._idled >= REFRESH_SECONDS:
            self._idled = time.monotonic()
            drain.look(self._config, self._paths)

    def _end_trials(self) -> None:
        """What was reloaded and not committed in time is taken back; nobody is asked."""
        if self._failed_back and time.monotonic() - self._failed_back < AGAIN_SECONDS:
            return
        for number in loaded.over(states.load(self._paths)):
            try:
                say = reload.end(self._config, self._paths, number)
            except (Refused, OSError):
                self._failed_back = time.monotonic()
                raise
            if say:
                self._tell(loaded.ENDED, say)

    def _learn(self) -> None:
        now = time.monotonic()
        deep = now - self._refreshed >= REFRESH_SECONDS
        if deep:
            self._refreshed = now
        with locks.held(self._paths.run, steer.LOCK, wait=1.0):
            if not table.is_present():
                return
            if deep:
                slots.ensure_addresses(self._config)
                learn.refresh(self._config, self._paths)
            restore.forget_strangers(self._config, self._paths)
            table.remember(self._paths, table.read().learnt, now=time.time())

    def _rotate(self) -> None:
        for number in self._config.slots:
            metrics.rotate(self._paths, number, ours=configs.own_addresses(self._config))

    def _look_for_newer(self) -> None:
        """With systemd `upgrade_self` restarts the unit. Not while the table is gone: the port must be silent then."""
        if supervise.has_systemd() or (self._config.steers and not table.is_present()):
            return
        if version := self._program.newer():
            self._tell("keep_renewed", f"ocgate {version} was put in place of {VERSION}; it keeps this gateway now.")
            self._leaving = True

    def _keep_spare(self) -> None:
        states.keep_spare(self._paths)

    def _end_older(self) -> None:
        for say in roamers.end_older(self._config, self._paths):
            self._tell("address_held_twice", say)

    def _attempt(self, what: str, act: Any) -> None:
        """One failing duty must not keep the others from being done."""
        try:
            act()
        except Answered as refusal:
            if refusal.code != "busy":
                self._tell(refusal.code, refusal.say)
        except (OSError, ValueError, KeyError) as failure:
            self._tell(f"{what}_failed", f"{type(failure).__name__}: {str(failure)[:300]}.")

    def _tell(self, code: str, say: str) -> None:
        print(f"{code}: {say}", file=sys.stderr, flush=True)
        journal.event(self._paths.events, at=time.time(), code=code, say=say)
