"""The demonstration's door: one at a time, and a port that is taken is seen."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lab.demo.dashboard import DemoError, port_is_free
from lab.demo.door import alone


def test_the_second_start_names_the_first(tmp_path: Path) -> None:
    with alone(tmp_path / "demo", "demo"), pytest.raises(DemoError, match=rf"runs already \(pid {os.getpid()}\)"):
        alone(tmp_path / "demo", "demo").__enter__()


def test_a_second_start_after_the_end_of_the_first(tmp_path: Path) -> None:
    with alone(tmp_path / "demo", "demo"):
        pass
    with alone(tmp_path / "demo", "demo"):
        assert (tmp_path / "demo.lock").read_text() == str(os.getpid())


def test_a_taken_port_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not port_is_free(taken.getsockname()[1])
