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

PairWith = Callable[[str], Pair]


def pytest_configure(config: pytest.Config) -> None:
    # The lab's own processes and logs outlive the objects that made them; the lab ends them by its record.
    config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gateway)


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
