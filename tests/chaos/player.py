"""Plays seeds one after the other, each on a fresh copy of an empty database.

`python -m tests.chaos.player SEED[:PLANT]…`; PLANT is the name of a bug in planted.py. One line of JSON for each.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "upgrader.settings"
django.setup()

from django.conf import settings  # noqa: E402 - models load after django.setup
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from tests.chaos import episode  # noqa: E402


def databases(state: Path) -> Iterator[Path]:
    """A fresh database for each episode: the tables are made once, and the file is copied."""
    state.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
    connection.close()
    database, template = state / "handover.sqlite3", state / "template.sqlite3"
    database.rename(template)
    while True:
        for old in state.glob("handover.sqlite3*"):
            old.unlink()
        shutil.copy(template, database)
        yield database
        connection.close()


def main() -> None:
    for word, database in zip(sys.argv[1:], databases(Path(settings.STATE)), strict=False):
        seed, _, plant = word.partition(":")
        began = time.process_time()
        report = episode.run(int(seed), database=database, plant=plant)
        report.cpu_s = time.process_time() - began
        print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
