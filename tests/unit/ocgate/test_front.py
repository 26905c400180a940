"""A gateway that does without nft: what it says, and how long a replacement lasts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.ocgate import config, derive, front, loaded, replaced, verbs
from fleet.ocgate.call import Call
from fleet.ocgate.errors import Refused
from fleet.ocgate.state import Place, Replaced, State, boot_id
from tests.unit.ocgate.values import CONFIG, paths
from tests.unit.ocgate.values import config as steering

IN_PLACE = replace(steering(), steers=False)


def call(folder: Path, own: config.Config, **args: object) -> Call:
    return Call(paths=paths(folder), config=own, args=dict(args), fence=1, send=lambda _line: None)


@pytest.mark.parametrize("verb", ["start", "shift"])
def test_what_steers_is_refused_and_the_way_on_named(tmp_path: Path, verb: str) -> None:
    with pytest.raises(Refused, match="--in-place.*replace") as refusal:
        verbs.VERBS[verb](call(tmp_path, IN_PLACE, release="1.3.0-2", slot=2))
    assert refusal.value.code == "no_steering"


def test_nobody_is_cut_where_a_shift_would_do(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        verbs.VERBS["replace"](call(tmp_path, steering(), release="1.3.0-2", cut_at_most=9, seconds=60))
    assert refusal.value.code == "steers"


def test_a_replacement_lasts_until_its_end_or_its_boots() -> None:
    on_trial = Replaced(2, Place(1, "1.1.6-3"), until=loaded.now() + 60, boot=boot_id())
    assert replaced.trial_of(State(replaced=on_trial)) == {2: 100}
    for over in (replace(on_trial, until=loaded.now() - 1), replace(on_trial, boot="another")):
        assert replaced.trial_of(State(replaced=over)) is None
    assert replaced.left(State()) == 0.0


def test_who_was_cut_is_said_by_name() -> None:
    assert front.cut_said([]) == "Nobody was cut."
    assert front.cut_said([{"id": "x", "user": "ann"}, {"id": "y", "user": "bob"}]) == "2 users were cut: ann, bob."
    assert front.cut_said([{"id": "x", "user": "ann"}] * 51).endswith(" and others.")


@pytest.mark.parametrize("steers", [1, "yes", None])
def test_whether_it_steers_is_true_or_false(tmp_path: Path, steers: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "steers": steers}))
    with pytest.raises(Refused) as refusal:
        config.load(tmp_path / "config.json")
    assert refusal.value.code == "config_bad"


def test_an_ocserv_is_told_that_it_is_full() -> None:
    text = derive.full("max-clients = 0\nmax-same-clients = 0\n[vhost:x]\nmax-clients = 5\n")
    assert text == "max-clients = 1\nmax-same-clients = 0\n[vhost:x]\nmax-clients = 5\n"
