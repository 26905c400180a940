"""When the file of a running ocgate counts as a newer one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.ocgate import renewed
from fleet.ocgate.errors import Refused


def put(path: Path, says: str) -> None:
    """A program in place of the one before, as `upgrade_self` does it."""
    beside = path.with_name("ocgate.new")
    beside.write_text(f"import sys\n{says}\n")
    os.replace(beside, path)


@pytest.fixture
def ocgate(tmp_path: Path) -> Path:
    path = tmp_path / "ocgate"
    put(path, "print('ocgate 1.0')")
    return path


def test_what_we_are_is_not_newer(ocgate: Path) -> None:
    program = renewed.Program(ocgate)
    assert program.newer() == ""
    put(ocgate, "print('ocgate 1.0')")
    assert program.newer() == "", "other inode, same bytes"


def test_another_one_is_and_a_missing_one_is_not(ocgate: Path) -> None:
    program = renewed.Program(ocgate)
    ocgate.rename(ocgate.with_name("ocgate.old"))
    assert program.newer() == ""
    put(ocgate, "print('ocgate 1.1')")
    assert program.newer() == "1.1"


def test_one_that_does_not_start_is_refused_once(ocgate: Path) -> None:
    program = renewed.Program(ocgate)
    put(ocgate, "sys.exit('no luck')")
    with pytest.raises(Refused, match="no luck"):
        program.newer()
    assert program.newer() == ""
    put(ocgate, "print('ocgate 1.2')")
    assert program.newer() == "1.2"


BECOMES = """
import os, sys
from fleet.ocgate import renewed
sys.argv[0] = sys.argv[1]
print(os.getpid(), flush=True)
renewed.become("keep")
"""


def test_the_same_process_goes_on_as_the_new_one(ocgate: Path) -> None:
    put(ocgate, "import os; print(os.getpid(), sys.argv[1])")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    said = subprocess.run([sys.executable, "-c", BECOMES, str(ocgate)], env=env, capture_output=True, check=True)
    before, after, word = said.stdout.decode().split()
    assert (before == after, word) == (True, "keep")
