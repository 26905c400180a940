"""A backup while others write, and the way back into an empty place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.demo.dashboard import ROOT
from tests.stack.site import until

WRITER = """
import time
import django
django.setup()
from django.db import transaction
from django.utils import timezone
from approvals import audit, checkpoints
from approvals.models import Actor
while True:
    with transaction.atomic():
        event = audit.append("did", subject="thing:1", actor=Actor.machine("test"), at=timezone.now())
    checkpoints.make(now=timezone.now())
    print(event.seq, flush=True)
    time.sleep(0.02)
"""


def env(state: Path) -> dict[str, str]:
    named = {"HANDOVER_STATE": str(state), "DJANGO_SETTINGS_MODULE": "upgrader.settings", "HANDOVER_LOG": "ERROR"}
    return {**os.environ, **named, "HANDOVER_CHECKPOINT_FILE": str(state.parent / "copy")}


def manage(state: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=env(state), capture_output=True, text=True, check=False)


@pytest.fixture
def written(seeded: Path, tmp_path: Path) -> Iterator[Path]:
    """A state whose record is written to all the time."""
    state = tmp_path / "state"
    shutil.copytree(seeded, state, ignore=shutil.ignore_patterns("*.sock"))
    said = tmp_path / "said"
    with said.open("w") as out:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], cwd=ROOT, env=env(state), stdout=out)
        try:
            until(lambda: len(said.read_text().splitlines()) > 20, what="the writer has begun", seconds=300)
            yield state
            assert writer.poll() is None
        finally:
            writer.kill()
            writer.wait()


def test_a_backup_under_writes_comes_back_whole(written: Path, tmp_path: Path) -> None:
    made = manage(written, "backup", tmp_path / "backup", "--keys", tmp_path / "keys", "--releases")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600

    damaged = bytearray((tmp_path / "backup").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = manage(empty, "restore", tmp_path / "damaged", "--keys", tmp_path / "keys")
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: Nothing was restored: ")
    assert not (empty / "handover.sqlite3").exists()

    back = manage(empty, "restore", tmp_path / "backup", "--keys", tmp_path / "keys")
    assert (back.returncode, back.stderr) == (0, ""), back.stderr
    assert (empty / "sealing-key").read_text() == (written / "sealing-key").read_text()
    verified = manage(empty, "audit", "verify")
    assert "signed checkpoint" in verified.stdout, verified
