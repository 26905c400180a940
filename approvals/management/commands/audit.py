"""`manage.py audit verify`, `audit export FILE`, `audit key`, and `audit begin-anew --why WHY`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals import audit, checkpoints, proof
from approvals.chain import Head
from approvals.models import Actor


class Command(BaseCommand):
    help = "Verify the record, or write it as JSON lines for `python -m approvals.verify`."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser("verify", help="walk the whole record; exit 1 when it is not whole")
        verify.add_argument("--head", type=Head.parse, help="SEQ:HASH that an earlier verify printed")
        export = actions.add_parser("export", help="write all events, one JSON object a line")
        export.add_argument("file", type=Path, help="a new file")
        actions.add_parser("key", help="print the public key of the checkpoints, for the verifier's --key")
        anew = actions.add_parser("begin-anew", help="sign on under a new name where signing was halted")
        anew.add_argument("--why", required=True, help="for the record: what happened, and who looked")

    def handle(self, *args: Any, **options: Any) -> None:
        match options["action"]:
            case "export":
                self._export(options["file"])
            case "key":
                self._key()
            case "begin-anew":
                self._begin_anew(options["why"])
            case _:
                self._verify(options["head"])

    def _verify(self, trusted: Head | None) -> None:
        try:
            seen = proof.whole(trusted)
        except OSError as error:
            raise CommandError(f"The copy of the checkpoints can't be read: {error}") from error
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

    def _key(self) -> None:
        key = checkpoints.key()
        if key is None:
            raise CommandError("The record has no event yet, and so no name that a key could sign for.")
        self.stdout.write(str(key))

    def _begin_anew(self, why: str) -> None:
        found = checkpoints.halts()
        if not found:
            raise CommandError("Nothing has halted the signing of checkpoints: there is nothing to begin anew.")
        actor = Actor.machine(f"manage.py, uid {os.getuid()}")
        made = checkpoints.begin_anew(actor=actor, why=why, now=timezone.now())
        said = f"Checkpoint {made.number} of {made.size} events is signed under the new name {made.origin}."
        self.stdout.write(f"{said} Give its key to whoever verifies:\n{made.key}")
