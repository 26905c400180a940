from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.site import Site, running, seed


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def seeded() -> Iterator[Path]:
    """A state folder that every site begins with a copy of."""
    folder = Path(tempfile.mkdtemp(prefix="handover-stack-"))
    try:
        seed(folder, {})
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site(seeded: Path) -> Iterator[Site]:
    """One stack for the tests of a file."""
    with running(seeded, port=free_port()) as started:
        yield started
