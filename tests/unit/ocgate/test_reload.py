"""A reload is a trial: it ends without a controller, by a restart of the slot, and wherever it was cut."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.ocgate import confs, journal, loaded, nft, reload, restore, steer, supervise, table
from fleet.ocgate import state as states
from fleet.ocgate.call import Call
from fleet.ocgate.config import Config
from fleet.ocgate.errors import Refused
from fleet.ocgate.keep import Keeper
from fleet.ocgate.paths import Paths
from tests.unit.ocgate.killed import Killed, killed_after
from tests.unit.ocgate.values import config, paths

OLD, NEW = "dpd = 90\n", "dpd = 60\n"
OLD_SHA, NEW_SHA = confs.sha256_of(OLD), confs.sha256_of(NEW)


class Gateway:
    """A gateway whose slot 1 serves with OLD; its ocserv and occtl are scripts, signals are written down."""

    def __init__(self, folder: Path) -> None:
        self.config: Config = replace(config(), ocserv_conf=folder / "ocserv.conf")
        self.paths: Paths = paths(folder)
        self.signals: list[int] = []
        self.clock = 1000.0
        self.config.ocserv_conf.write_text(OLD)
        states.write_whole(self.paths.agreed_conf, OLD)
        states.write_whole(self.paths.slot_conf(1), "# of slot 1\n" + OLD)
        release = self.paths.release("1.1.6-3")
        script(release / "sbin" / "ocserv", "exit 0")
        script(release / "bin" / "occtl", """echo '{"Status": "online"}'""")
        for text in (OLD, NEW):
            confs.keep(self.paths, text)
        with states.changing(self.paths) as state:
            state.agreed_sha256, state.committed = OLD_SHA, states.Place(1, "1.1.6-3")
            state.slots[1] = states.SlotState("1.1.6-3", conf=OLD_SHA)

    def reload(self, conf: str = NEW_SHA, **args: int) -> bool:
        return bool(reload.reload(self.call(slot=1, conf=conf, **args))["already"])

    def call(self, **args: object) -> Call:
        return Call(self.paths, self.config, args, 1, lambda _: None)

    def keep(self) -> None:
        """What `ocgate keep` does about it in each round."""
        keeper = Keeper(self.paths, self.config)
        keeper._attempt("reload", keeper._end_trials)

    def runs(self) -> str:
        """The configuration that state.json names, which the slot's file must be."""
        conf = confs.of_slot(states.load(self.paths), 1)
        text = {OLD_SHA: OLD, NEW_SHA: NEW}[conf]
        assert text.strip() in self.paths.slot_conf(1).read_text()
        return conf

    def events(self) -> list[str]:
        return [event["code"] for event in journal.events(self.paths.events)]


def script(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway(tmp_path)
    process = supervise.Process(pid=7, restarts=0, since=0.0, failed=False)
    monkeypatch.setattr(supervise, "look", lambda *_: process)
    monkeypatch.setattr(loaded, "now", lambda: made.clock)
    monkeypatch.setattr(os, "kill", lambda _pid, sent: made.signals.append(sent))
    return made


def test_the_old_one_comes_back_when_nobody_commits(gateway: Gateway) -> None:
    before = gateway.paths.slot_conf(1).read_text()
    assert not gateway.reload(seconds=60)
    gateway.clock += 59
    gateway.keep()
    assert (gateway.runs(), gateway.events()) == (NEW_SHA, [])
    gateway.clock += 1
    gateway.keep()
    assert (gateway.runs(), gateway.events()) == (OLD_SHA, [loaded.ENDED])
    assert (gateway.paths.slot_conf(1).read_text(), gateway.signals) == (before, [signal.SIGHUP] * 2)
    gateway.keep()
    assert (len(gateway.signals), states.load(gateway.paths).loaded) == (2, {})


def test_the_same_again_only_renews(gateway: Gateway) -> None:
    gateway.reload(seconds=60)
    gateway.clock += 50
    assert gateway.reload(seconds=60)
    assert gateway.reload(), "without seconds the end stays where it is"
    gateway.clock += 59
    gateway.keep()
    assert (gateway.runs(), len(gateway.signals)) == (NEW_SHA, 1)
    gateway.clock += 1
    gateway.keep()
    assert gateway.runs() == OLD_SHA


def test_what_is_agreed_stays(gateway: Gateway) -> None:
    gateway.reload(seconds=60)
    confs.agree(gateway.config, gateway.paths, NEW_SHA)
    gateway.clock += 600
    gateway.keep()
    assert (gateway.runs(), gateway.events()) == (NEW_SHA, [])


def test_without_seconds_it_has_no_end_but_a_restart(gateway: Gateway) -> None:
    gateway.reload()
    gateway.clock += 10**6
    gateway.keep()
    assert gateway.runs() == NEW_SHA
    loaded.restarted(gateway.paths, 1)
    assert (gateway.runs(), gateway.events()) == (OLD_SHA, [loaded.ENDED])


def test_after_a_reboot_it_is_over(gateway: Gateway) -> None:
    gateway.reload(seconds=600)
    with states.changing(gateway.paths) as state:
        state.loaded[1].boot = "another"
    gateway.keep()
    assert gateway.runs() == OLD_SHA


def test_taking_it_back_ends_the_trial(gateway: Gateway) -> None:
    gateway.reload(seconds=60)
    assert not gateway.reload(OLD_SHA, seconds=60)
    assert (gateway.runs(), states.load(gateway.paths).loaded) == (OLD_SHA, {})
    gateway.clock += 60
    gateway.keep()
    assert gateway.events() == []


@pytest.mark.parametrize(("to", "back"), [("committed", NEW_SHA), ("previous", OLD_SHA)])
def test_a_restore_takes_back_what_is_on_trial(
    gateway: Gateway, to: str, back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = table.Seen(present=True, trial_left=0.0, learnt=nft.Learnt())
    for name, said in (("read", seen), ("apply", 1.0), ("forget", 0)):
        monkeypatch.setattr(table, name, lambda *_, said=said: said)
    third = "dpd = 30\n"
    confs.keep(gateway.paths, third)
    gateway.reload(seconds=60)
    steer.commit(gateway.call(slot=1))
    gateway.reload(confs.sha256_of(third), seconds=60)
    restore.restore(gateway.call(to=to))
    state = states.load(gateway.paths)
    assert (gateway.runs(), state.agreed_sha256, state.loaded) == (back, back, {})
    assert confs.brought_by(state, 1) == ""


def test_an_old_one_that_is_refused_now_is_not_loaded(gateway: Gateway) -> None:
    gateway.reload(seconds=60)
    script(gateway.paths.release("1.1.6-3") / "sbin" / "ocserv", "echo no key >&2; exit 1")
    gateway.clock += 60
    gateway.keep()
    assert (gateway.runs(), gateway.events()) == (NEW_SHA, ["conf_refused"])
    assert len(gateway.signals) == 1, "a reload that fails would end every session"


def test_one_that_was_cut_is_taken_back_though_the_state_says_it_never_ran(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(reload, "_await_answer", cut)
        with pytest.raises(Killed):
            gateway.reload(seconds=60)
    assert not gateway.reload(OLD_SHA)
    assert (gateway.runs(), len(gateway.signals), states.load(gateway.paths).loaded) == (OLD_SHA, 2, {})


def test_an_ocserv_that_ended_on_the_reload_is_said(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: loaded.restarted(gateway.paths, 1))
    with pytest.raises(Refused, match="ended itself on the reload") as no:
        gateway.reload(seconds=60)
    assert (no.value.code, gateway.runs(), gateway.events()) == ("conf_refused", OLD_SHA, [loaded.ENDED])


@pytest.mark.parametrize("repeated", [False, True], ids=["alone", "asked-again"])
@pytest.mark.parametrize("writes", range(7))
def test_a_kill_at_any_write_leaves_the_end(
    gateway: Gateway, writes: int, repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_after(writes, monkeypatch):
        try:
            gateway.reload(seconds=60)
        except Killed:
            assert confs.of_slot(states.load(gateway.paths), 1) == OLD_SHA
    if repeated:
        gateway.reload(seconds=60)
        assert gateway.runs() == NEW_SHA
    gateway.clock += 60
    gateway.keep()
    assert (gateway.runs(), states.load(gateway.paths).loaded) == (OLD_SHA, {})
