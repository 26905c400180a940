"""The tree against the vectors of RFC 6962's first implementation, and its proofs against every lie of one bit."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from approvals import merkle

# https://github.com/google/certificate-transparency, merkletree/merkle_tree_test.cc
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [hashlib.sha256(b"\x00" + bytes.fromhex(text)).digest() for text in INPUTS]
MANY = [hashlib.sha256(bytes([number])).digest() for number in range(19)]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_first_implementation(size: int) -> None:
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.Range().root() == hashlib.sha256(b"").digest()


def test_a_range_goes_on_from_what_was_kept_of_it() -> None:
    for size in range(len(MANY)):
        kept = merkle.Range()
        for leaf in MANY[:size]:
            kept.push(leaf)
        again = merkle.Range(kept.size, kept.frontier)
        for leaf in MANY[size:]:
            again.push(leaf)
        assert again.root() == merkle.root(MANY)


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="5 leaves has 2 full trees, not 1"):
        merkle.Range(5, [MANY[0]])


def test_every_leaf_is_shown_in_its_place_and_in_no_other() -> None:
    for size in range(1, len(MANY) + 1):
        leaves, root = MANY[:size], merkle.root(MANY[:size])
        for index in range(size):
            proof = merkle.inclusion(leaves, index)
            for claimed in range(size + 1):
                said = merkle.includes(leaf=leaves[index], index=claimed, size=size, proof=proof, root=root)
                assert said is (claimed == index)


def test_every_size_is_shown_to_have_grown_into_every_later_one() -> None:
    for size in range(len(MANY) + 1):
        for old in range(size + 1):
            proof = merkle.consistency(MANY[:size], old)
            said: dict[str, Any] = {
                "old": old,
                "old_root": merkle.root(MANY[:old]),
                "size": size,
                "root": merkle.root(MANY[:size]),
            }
            assert merkle.extends(**said, proof=proof)
            assert not merkle.extends(**said, proof=[*proof, MANY[0]])
            assert not any(merkle.extends(**lie, proof=proof) for lie in lies(said))
            assert not proof or not merkle.extends(**said, proof=proof[:-1])


def lies(said: dict[str, Any]) -> list[dict[str, Any]]:
    other = MANY[-1][::-1]
    return [{**said, "old_root": other}, *([{**said, "root": other}] if said["old"] else [])]


def test_what_was_never_there_has_no_proof() -> None:
    with pytest.raises(ValueError, match="no leaf 3 in a tree of 3"):
        merkle.inclusion(MANY[:3], 3)
    with pytest.raises(ValueError, match="never had 4 leaves"):
        merkle.consistency(MANY[:3], 4)
