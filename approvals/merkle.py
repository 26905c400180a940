"""The Merkle tree of RFC 6962 (and 9162) over the record's leaf hashes: roots, proofs, and a tree that only grows.

Hashes are 32 bytes. A leaf is hashed by approvals/chain.py (SHA-256 over 0x00 and the event's text); here is what is
above the leaves. No Django.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash above two: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Range:
    """A tree that only grows, as the roots of the full trees that its size is made of, the biggest first.

    An append costs one hash on average and O(log n) at most; the root costs O(log n).
    """

    __slots__ = ("frontier", "size")

    def __init__(self, size: int = 0, frontier: Iterable[bytes] = ()) -> None:
        self.size, self.frontier = size, list(frontier)
        if len(self.frontier) != size.bit_count():
            raise ValueError(f"A tree of {size} leaves has {size.bit_count()} full trees, not {len(self.frontier)}")

    def push(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size, frontier = self.size, self.frontier
        while size & 1:
            leaf = node(frontier.pop(), leaf)
            size >>= 1
        frontier.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of all that was added."""
        if not self.frontier:
            return EMPTY
        root = self.frontier[-1]
        for left in reversed(self.frontier[:-1]):
            root = node(left, root)
        return root

    def copy(self) -> Range:
        return Range(self.size, self.frontier)


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    tree = Range()
    for leaf in leaves:
        tree.push(leaf)
    return tree.root()


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the proof that leaf `index` (from 0) is in the tree of `leaves`: RFC 6962, 2.1.1."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"There is no leaf {index} in a tree of {len(leaves)}")
    path: list[bytes] = []
    while len(leaves) > 1:
        split = _split(len(leaves))
        if index < split:
            path.append(root(leaves[split:]))
            leaves = leaves[:split]
        else:
            path.append(root(leaves[:split]))
            leaves, index = leaves[split:], index - split
    return path[::-1]


def consistency(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """Return the proof that the tree of `leaves` only added to its first `old`: RFC 6962, 2.1.2."""
    if not 0 <= old <= len(leaves):
        raise ValueError(f"A tree of {len(leaves)} never had {old} leaves")
    if old in (0, len(leaves)):
        return []
    path: list[bytes] = []
    known = True  # whether who asks has the root of what is left
    while old != len(leaves):
        split = _split(len(leaves))
        if old <= split:
            path.append(root(leaves[split:]))
            leaves = leaves[:split]
        else:
            path.append(root(leaves[:split]))
            leaves, old, known = leaves[split:], old - split, False
    return ([] if known else [root(leaves)]) + path[::-1]


def includes(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that `leaf` is number `index` (from 0) of the tree: RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    at, last, made = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            made = node(step, made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            made = node(made, step)
        at, last = at >> 1, last >> 1
    return last == 0 and made == root


def extends(*, old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree only added to its first `old` leaves: RFC 9162, 2.1.4.2.

    An empty old tree is part of every tree; then, and when both are the same, there is nothing to prove.
    """
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == EMPTY
    path = list(proof)
    if old.bit_count() == 1:
        path.insert(0, old_root)
    return bool(path) and _both_roots(path, old=old, size=size) == (old_root, root)


def _both_roots(path: Sequence[bytes], *, old: int, size: int) -> tuple[bytes, bytes] | None:
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for step in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            before, after = node(step, before), node(step, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node(after, step)
        at, last = at >> 1, last >> 1
    return (before, after) if last == 0 else None


def _split(size: int) -> int:
    """The biggest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
