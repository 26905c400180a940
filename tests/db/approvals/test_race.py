"""Processes of their own on a database of their own: what threads on an in-memory database can't show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from lab import servers


def fresh_database(folder: Path) -> str:
    """The address of an empty database on the server that DATABASE_URL names; without one, of a file in `folder`."""
    address = os.environ.get("DATABASE_URL", "")
    return servers.another(address) if address.startswith("postgres") else f"sqlite:///{folder / 'race.sqlite3'}"


class Place:
    """A migrated database and the processes that race on it."""

    def __init__(self, folder: Path) -> None:
        more = {"HANDOVER_STATE": str(folder), "DJANGO_SETTINGS_MODULE": "upgrader.settings"}
        self.env = {**os.environ, **more, "PYTHONPATH": str(settings.BASE_DIR), "HANDOVER_LOG": "ERROR"}
        self.env["DATABASE_URL"] = fresh_database(folder)
        self.run("manage.py", "migrate", "-v0")

    def run(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, env=self.env, cwd=settings.BASE_DIR, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def race(self, *all_arguments: tuple[str, str]) -> list[str]:
        """Start one process for each, let them go at once, return what each printed."""
        racers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.db.approvals.racer", *arguments],
                env=self.env,
                cwd=settings.BASE_DIR,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for arguments in all_arguments
        ]
        try:
            assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * len(racers)
            return [racer.communicate("\n", timeout=60)[0].strip() for racer in _released(racers)]
        finally:
            for racer in racers:
                racer.kill()


def _released(racers: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for racer in racers:
        if racer.stdin:
            racer.stdin.write("\n")
            racer.stdin.flush()
    return racers


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_writers_at_once_make_one_chain(place: Place) -> None:
    place.race(*[("append", "50")] * 4)
    assert place.run("manage.py", "audit", "verify").startswith("The record is whole: 200 events, head 200:")


def test_deciders_at_once_give_one_outcome(place: Place) -> None:
    place.run(
        "-c", "import django; django.setup(); from tests.db.approvals.cast import ask, person; ask(); person('Li')"
    )
    said = place.race(("decide", "Li"), ("decide", "Kim"), ("decide", "Ada"))
    assert said.count("approved") == 1
    winner = ("Li", "Kim", "Ada")[said.index("approved")]
    assert said.count(f"{winner} approved this 0 s ago.") == 2
    assert place.run("manage.py", "audit", "verify").startswith("The record is whole: 2 events")
