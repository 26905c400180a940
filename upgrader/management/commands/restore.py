"""`manage.py restore FILE [--keys FILE]`, into an empty state folder or an empty database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals import backup
from approvals.databases import Unfit
from approvals.models import Actor


class Command(BaseCommand):
    help = "Bring back what `backup` wrote. Refuses what is not whole, and a place that is not empty."
    requires_system_checks: list[str] = []  # they would open the database that is not there yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--keys", type=Path, help="the file with the keys")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.machine(f"manage.py, uid {os.getuid()}")
        try:
            done = backup.restore(options["file"], keys=options["keys"], actor=actor, now=timezone.now())
        except (Unfit, OSError) as no:
            raise CommandError(f"Nothing was restored: {no}") from no
        self.stdout.write(f"The database of {done.made_at} is back, with {done.events} events, and {done.files} files.")
        for warning in done.warnings:
            self.stderr.write(f"Look at this: {warning}")
