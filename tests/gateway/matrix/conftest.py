"""Pairs of the lab's releases as the bench takes them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.ports import ReleaseFiles
from lab.fleet import CACHE
from lab.releases import Builder, Release
from releases.matrix.ports import Pair
from tests.gateway.labs import mark, pytest_configure

PairWith = Callable[[str], Pair]


__all__ = ["pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture(scope="package")
def pair_with() -> PairWith:
    """Make a pair: 1.3.0 and a variant of it with a fault of lab.badness."""
    assert os.geteuid() == 0, "the gateway tests need root"
    builder = Builder(CACHE, lambda _: None)
    good = builder.debian()[1]
    keys = ((builder.signer.folder / "release-key.asc").read_text(),)

    def make(kind: str) -> Pair:
        return Pair(files_of(builder.bad(good, kind=kind)), files_of(good), keys)

    return make


def files_of(made: Release) -> ReleaseFiles:
    """A built release as the controller has it in its repository."""
    manifest, signature = (made.folder / "manifest.json").read_text(), made.folder / "SHA256SUMS.asc"
    bundle = json.loads(manifest)["bundle"]
    return ReleaseFiles(
        release=made.release,
        digest=hashlib.sha256(manifest.encode()).hexdigest(),
        manifest=manifest,
        sums=(made.folder / "SHA256SUMS").read_text(),
        changelog=(made.folder / "CHANGELOG.md").read_text(),
        signatures=((signature.name, signature.read_text()),),
        bundle=made.folder / bundle["name"],
        size=bundle["size"],
        sha256=bundle["sha256"],
    )
