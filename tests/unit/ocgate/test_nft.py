"""The rules as text, and read by the real nft."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from fleet.ocgate import nft, table
from tests.unit.ocgate.values import RECORDED, config

LEARNT = nft.Learnt({"10.0.0.1": ("198.18.0.1", 60)}, {"2001:db8::": ("fd5a:6f63::2", 9)}, {"10.0.0.9": 5}, {})


def test_a_share_is_split_by_a_seeded_hash_of_the_address() -> None:
    four, six = nft.share_rules({1: 75, 2: 25})
    assert four == "jhash ip saddr mod 100 seed 0x6f636761 vmap { 0-74 : goto slot1, 75-99 : goto slot2 }"
    assert "jhash @nh,64,64 mod 100 seed 0x6f636761" in six


@pytest.mark.parametrize(("weights", "rules"), [({1: 100}, ["goto slot1"]), ({1: 0, 3: 100}, ["goto slot3"])])
def test_all_to_one_needs_no_hash(weights: dict[int, int], rules: list[str]) -> None:
    assert nft.share_rules(weights) == rules


@pytest.mark.parametrize("weights", [{1: 99, 2: 1}, {1: 1, 2: 98, 3: 1}, {2: 50, 3: 50}])
def test_a_share_covers_each_of_the_hundred_once(weights: dict[int, int]) -> None:
    pairs = nft.share_rules(weights)[0].split("{ ")[1].rstrip(" }").split(", ")
    seen: dict[int, int] = {}
    for pair in pairs:
        numbers, target = pair.split(" : goto slot")
        first, _, last = numbers.partition("-")
        for number in range(int(first), int(last or first) + 1):
            assert number not in seen
            seen[number] = int(target)
    assert sorted(seen) == list(range(100))
    assert {slot: list(seen.values()).count(slot) for slot in weights} == weights


def test_a_distrusted_slot_learns_nobody() -> None:
    rules = nft.learn_rules(config(), adopted=None, distrusted=frozenset({2}))
    assert all("198.18.0.2" not in rule and "fd5a:6f63::2" not in rule for rule in rules)
    assert "198.18.0.1" in rules[0]


def test_the_end_of_a_trial_and_the_new_steady_state_are_one_transaction() -> None:
    commands = nft.settle({2: 100})
    assert commands[0] == "flush map inet handover armed"
    assert commands[-1] == "add rule inet handover steady goto slot2"


@pytest.mark.parametrize("adopted", [None, 1])
def test_the_real_nft_takes_the_whole_table_and_every_change(adopted: int | None) -> None:
    if os.geteuid() or not shutil.which("nft"):
        pytest.fail("this test loads rules into a network namespace of its own: it needs root and nft")
    wanted = nft.Wanted({1: 100}, {1: 75, 2: 25}, 60, adopted, frozenset({3}))
    parts = [
        nft.whole(config(), wanted, LEARNT),
        *nft.shift(config(), {2: 100}, seconds=9),
        *nft.relearn(config(), adopted=adopted, distrusted=frozenset()),
        *nft.place(config(), 1, adopted=False),
        *nft.forget("sticky4", ["10.0.0.1"]),
        *nft.settle({2: 100}),
    ]
    text = "\n".join(parts)
    listed = subprocess.run(
        ["unshare", "-n", "sh", "-c", "nft -f - && nft -j list table inet handover"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    seen = table.parse(json.loads(listed.stdout))
    assert seen.present
    assert (seen.trial_left, seen.learnt.sticky4) == (0, {})
    assert seen.learnt.sticky6 == {"2001:db8::": ("fd5a:6f63::2", 8)} or seen.learnt.sticky6["2001:db8::"][1] == 9


def test_what_the_kernel_knows_is_read() -> None:
    seen = table.parse(json.loads((RECORDED / "ruleset.json").read_text()))
    assert seen.trial_left == 29
    assert seen.learnt.sticky4 == {"10.0.0.1": ("198.18.0.1", 599), "10.0.0.2": ("198.18.0.2", 7100)}
    assert seen.learnt.adopted4 == {"10.0.0.9": 12}
    assert seen.learnt.sticky6 == {}
