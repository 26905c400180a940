"""`manage.py backup FILE [--releases] [--keys FILE]`, while everything runs."""

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
    help = "Write the database into a new file that `restore` takes back; the keys go into another one: docs/backup.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a new file")
        parser.add_argument("--releases", action="store_true", help="the repository of releases, too")
        parser.add_argument("--keys", type=Path, help="a new file for the keys, which somebody else keeps")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, to = Actor.machine(f"manage.py, uid {os.getuid()}"), options["file"].absolute()
        try:
            if options["keys"]:
                backup.keys_to(options["keys"])
                self.stdout.write(f"The keys are in {options['keys']}. Keep them elsewhere than the backup.")
            made = backup.back_up(to, releases=options["releases"], actor=actor, now=timezone.now())
        except (Unfit, OSError) as no:
            raise CommandError(f"Nothing was backed up: {no}") from no
        head, count = made["head"].partition(":")[0], len(made["files"])
        self.stdout.write(f"{to} has the record up to event {head} at least, in {count} files.")
