"""`manage.py matrix run RELEASE [--part PART] [--from RELEASE]`, `matrix show RELEASE`."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.module_loading import import_string

from approvals.errors import Refused
from approvals.models import Actor
from fleet.errors import RetryLater
from releases.matrix import selectors, services, stress
from releases.matrix.ports import Opener
from releases.models import MatrixRun, Release


class Command(BaseCommand):
    help = "Run the test matrix of a release, or show what its last runs found."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        run = actions.add_parser("run", help="run all parts, or one of them; minutes")
        run.add_argument("release")
        run.add_argument("--part", choices=services.PARTS)
        run.add_argument("--from", dest="old", metavar="RELEASE", help="upgraded from; else what most gateways run")
        run.add_argument("--users", type=int, default=stress.Load.users, help="of the stress tests, on each side")
        run.add_argument("--rounds", type=int, default=stress.Load.rounds)
        run.add_argument("--rate", type=float, default=stress.Load.rate, help="logins that start in a second")
        show = actions.add_parser("show", help="the cells of the last run of each part")
        show.add_argument("release")

    def handle(self, *args: Any, **options: Any) -> None:
        release = _release(options["release"])
        if options["action"] == "show":
            self._show(release)
            return
        runs = [self._run(release, part, options) for part in services.PARTS if options["part"] in (None, part)]
        for row in runs:
            self._told(row)
        if any(row.state != MatrixRun.State.DONE or selectors.not_green(row) for row in runs):
            raise CommandError(f"{release.name} is not green everywhere.", returncode=2)

    def _run(self, release: Release, part: str, options: dict[str, Any]) -> MatrixRun:
        old = _release(options["old"]) if options["old"] else services.usual_old(release)
        load = stress.Load(users=options["users"], rounds=options["rounds"], rate=options["rate"])
        opener: Opener = import_string(settings.MATRIX_BENCH)
        self._say(f"{part} tests of {release.name}{f', upgraded from {old.name}' if old and part != 'static' else ''}")
        try:
            return services.run(
                services.Wish(release, part, old=old, load=load),
                opener=opener,
                actor=Actor.machine(f"manage.py, uid {os.getuid()}"),
                clock=timezone.now,
                say=self._say,
            )
        except Refused as refusal:
            raise CommandError(refusal.say) from refusal
        except RetryLater as later:
            raise CommandError(f"{later} Try again later.") from later

    def _show(self, release: Release) -> None:
        runs = selectors.last_runs(release)
        if not runs:
            self._say(f"The matrix of {release.name} was not run yet: manage.py matrix run {release.name}")
        for row in runs:
            self._told(row)
            for cell in row.cells.all():
                self._say(f"  {cell.verdict:8} {cell.test}: {cell.say} ({cell.seconds:.1f} s)")

    def _told(self, row: MatrixRun) -> None:
        seconds = (row.ended_at - row.started_at).total_seconds() if row.ended_at else 0
        after = f" from {row.upgraded_from}" if row.upgraded_from else ""
        self._say(f"{row.part}{after}: {row.state}, {row.say} ({seconds:.0f} s)")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _release(name: str) -> Release:
    try:
        return Release.objects.get(name=name)
    except Release.DoesNotExist:
        raise CommandError(f"No release is called {name}.")
