"""Which configuration is the agreed one: kept, judged, written whole, and the same after a kill at any write."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.ocgate import confcheck, confs
from fleet.ocgate import state as states
from fleet.ocgate.config import Config
from fleet.ocgate.errors import Refused
from fleet.ocgate.paths import Paths
from tests.unit.ocgate.killed import Killed, killed_after
from tests.unit.ocgate.values import config, paths

OLD, NEW = "dpd = 90\n", "dpd = 60\n"


@pytest.fixture
def here(tmp_path: Path) -> tuple[Config, Paths]:
    """A gateway whose operator's file is agreed, with a slot that was started before configurations were kept."""
    own, place = replace(config(), ocserv_conf=tmp_path / "ocserv.conf"), paths(tmp_path)
    own.ocserv_conf.write_text(OLD)
    own.ocserv_conf.chmod(0o640)
    states.write_whole(place.agreed_conf, OLD)
    with states.changing(place) as state:
        state.agreed_sha256 = confs.sha256_of(OLD)
        state.slots[1] = states.SlotState(release="1.1.6-3")
    return own, place


def test_agreeing_writes_the_file_and_remembers_both(here: tuple[Config, Paths]) -> None:
    own, place = here
    confs.keep(place, NEW)
    assert [confs.agree(own, place, confs.sha256_of(NEW)) for _ in range(2)] == [False, True]
    state = states.load(place)
    assert (own.ocserv_conf.read_text(), own.ocserv_conf.stat().st_mode & 0o777) == (NEW, 0o640)
    assert (confs.agreed(own, place), state.agreed_sha256) == (NEW, confs.sha256_of(NEW))
    assert confs.of_slot(state, 1) == confs.sha256_of(OLD)
    assert confs.usable(own, place, confs.sha256_of(OLD)) == OLD


def test_the_operators_file_stays_with_its_owner_and_group(here: tuple[Config, Paths]) -> None:
    own, place = here
    assert os.geteuid() == 0, "only root may give a file away"
    os.chown(own.ocserv_conf, 4711, 4712)
    own.ocserv_conf.chmod(0o664)  # the umask takes the group's right away
    confs.keep(place, NEW)
    confs.agree(own, place, confs.sha256_of(NEW))
    now = own.ocserv_conf.stat()
    assert (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (4711, 4712, 0o664)


def brought(place: Paths, count: int) -> list[str]:
    """So many configurations, the oldest first, each with the word of an approver."""
    texts = [f"dpd = {n}\n" for n in range(count)]
    for age, text in enumerate(texts):
        confs.keep(place, text)
        states.write_object(place.conf_word(confs.sha256_of(text)), {"approvers": ["alice"]})
        os.utime(place.conf(confs.sha256_of(text)), (age, age))
    return [confs.sha256_of(text) for text in texts]


def test_what_nothing_refers_to_is_pruned_but_the_newest(here: tuple[Config, Paths]) -> None:
    _, place = here
    shas = brought(place, 20)
    with states.changing(place) as state:
        state.agreed_sha256, state.agreed_before, state.previous_conf = shas[0], [shas[1]], shas[2]
        state.slots[2] = states.SlotState(release="1.3.0-2", conf=shas[3], brings=True, before=shas[4])
    assert confs.prune(place, brought=shas[5]) == 4
    kept = {*shas[:6], *shas[10:]}
    assert {path.stem for path in place.confs.glob("*.conf")} == kept
    assert {path.stem for path in place.confs.glob("*.json")} == kept


def test_one_that_is_brought_again_counts_as_new(here: tuple[Config, Paths]) -> None:
    _, place = here
    shas = brought(place, 12)
    assert confs.keep(place, "dpd = 0\n")
    confs.prune(place, brought=shas[11])
    assert place.conf(shas[0]).exists()
    assert not place.conf(shas[1]).exists()


@pytest.mark.parametrize("writes", range(6))
def test_a_kill_at_any_write_is_healed_by_asking_again(
    here: tuple[Config, Paths], writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, place = here
    confs.keep(place, NEW)
    with killed_after(writes, monkeypatch):
        try:
            confs.agree(own, place, confs.sha256_of(NEW))
        except Killed:
            changed = confs.sha256_of(own.ocserv_conf.read_text()) != states.load(place).agreed_sha256
            assert changed or own.ocserv_conf.read_text() == OLD
    confs.agree(own, place, confs.sha256_of(NEW))
    assert (own.ocserv_conf.read_text(), confs.agreed(own, place)) == (NEW, NEW)
    assert states.load(place).agreed_before == [confs.sha256_of(OLD), confs.sha256_of(NEW)]
    assert confs.usable(own, place, confs.sha256_of(OLD)) == OLD


def test_what_is_not_what_its_name_says_is_not_used(here: tuple[Config, Paths]) -> None:
    own, place = here
    confs.keep(place, NEW)
    place.conf(confs.sha256_of(NEW)).write_text("connect-script = /tmp/x\n")
    for sha in (confs.sha256_of(NEW), "e" * 64):
        with pytest.raises(Refused) as no:
            confs.usable(own, place, sha)
        assert no.value.code == "unknown_conf"


def test_a_kept_one_beyond_the_list_needs_its_word(here: tuple[Config, Paths]) -> None:
    own, place = here
    hard = OLD + "route = default\n"
    confs.keep(place, hard)
    with pytest.raises(Refused, match="route") as no:
        confs.usable(own, place, confs.sha256_of(hard))
    assert no.value.code == "not_allowed"
    states.write_object(place.conf_word(confs.sha256_of(hard)), {"until": time.time() + 60})
    assert confs.usable(own, place, confs.sha256_of(hard)) == hard


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("crl = /nowhere\n", "file_missing"),
        ("config-per-user = /etc/passwd\n", "file_missing"),
        ("connect-script = /etc/passwd\n", "not_a_program"),
        ('auth = "plain[passwd=/nowhere]"\n', "file_missing"),
        ("run-as-user = nobody-here\n", "account_missing"),
        ("max-clients = 1000\n", "pool_small"),
        ("dpd = soon\n", "value_bad"),
    ],
)
def test_the_host_is_asked_for_what_a_configuration_names(line: str, code: str) -> None:
    text = "ipv4-network = 10.10.0.0/24\nsec-mod-scale = 1\n"
    assert confcheck.findings(text, "1.3.0") == []
    assert [found.code for found in confcheck.findings(text + line, "1.3.0")] == [code]


@pytest.mark.parametrize("word", [{}, {"approvers": ["alice"]}, {"approvers": ["alice"], "until": 1.0}, {"until": "x"}])
def test_an_approvers_word_is_good_until_it_expires(here: tuple[Config, Paths], word: dict[str, Any]) -> None:
    own, place = here
    text = OLD + "connect-script = /x\n"
    sha = confs.sha256_of(text)
    confs.keep(place, text)
    states.write_object(place.conf_word(sha), {"approvers": ["alice"], "until": time.time() + 60})
    assert confs.usable(own, place, sha) == text
    states.write_object(place.conf_word(sha), word)
    with pytest.raises(Refused) as refusal:
        confs.usable(own, place, sha)
    assert refusal.value.code == "not_allowed"
    assert confs.text_of(own, place, sha) == text
