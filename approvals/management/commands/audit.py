"""`manage.py audit verify` and `manage.py audit export FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals import audit
from approvals.chain import Head


class Command(BaseCommand):
    help = "Verify the record, or write it as JSON lines for `python -m approvals.verify`."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser("verify", help="walk the whole record; exit 1 when it is not whole")
        verify.add_argument("--head", type=Head.parse, help="SEQ:HASH that an earlier verify printed")
        export = actions.add_parser("export", help="write all events, one JSON object a line")
        export.add_argument("file", type=Path, help="a new file")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "export":
            self._export(options["file"])
        else:
            self._verify(options["head"])

    def _verify(self, trusted: Head | None) -> None:
        seen = audit.walk(trusted=trusted)
        self.stdout.write(seen.sentence())
        if seen.finding:
            sys.exit(1)

    def _export(self, path: Path) -> None:
        try:
            with path.open("x", encoding="utf-8") as out:
                count = audit.export(out)
        except OSError as error:
            raise CommandError(f"Nothing was exported: {error.strerror} ({path})") from error
        self.stdout.write(f"{count} events written to {path}. Check them with: python -m approvals.verify {path}")
