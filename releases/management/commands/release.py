"""`manage.py release add FOLDER`, `list`, `yank NAME --reason WHY`, `bring GATEWAY download|ssh`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import Actor
from fleet.models import Gateway
from releases import downloads, services
from releases.models import Release


class Command(BaseCommand):
    help = "Take releases into the repository, list and withdraw them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="check a release's folder and keep it")
        add.add_argument("folder", type=Path)
        actions.add_parser("list", help="one line a release")
        bring = actions.add_parser("bring", help="how a gateway gets its bundles: by its own download, or over SSH")
        bring.add_argument("gateway")
        bring.add_argument("way", choices=["download", "ssh"])
        yank = actions.add_parser("yank", help="withdraw a release")
        yank.add_argument("name")
        yank.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        actor, now = Actor.machine(f"manage.py, uid {os.getuid()}"), timezone.now()
        try:
            match options["action"]:
                case "add":
                    tell = self._tell if self.stderr.isatty() else None
                    release = services.take_in(options["folder"], by=None, actor=actor, now=now, tell=tell)
                    self.stdout.write(f"{release.name} is in the repository, digest {release.digest}.")
                case "bring":
                    gateway = Gateway.objects.get(name=options["gateway"])
                    wish = options["way"] == "download"
                    downloads.let_call_in(gateway, wish=wish, actor=actor, now=now)
                    how = "downloads its bundles itself" if wish else "gets its bundles over SSH"
                    self.stdout.write(f"{gateway.name} {how} from now on.")
                case "yank":
                    release = Release.objects.get(name=options["name"])
                    services.yank(release, reason=options["reason"], actor=actor, now=now)
                    self.stdout.write(f"{release.name} was withdrawn; no gateway gets it any more.")
                case _:
                    self._list()
        except Refused as refusal:
            raise CommandError(refusal.say) from refusal
        except Gateway.DoesNotExist:
            raise CommandError(f"No gateway is called {options['gateway']}.")
        except Release.DoesNotExist:
            raise CommandError(f"No release is called {options['name']}.")

    def _tell(self, done: int, total: int) -> None:
        """One line that is written over, for who waits at a terminal."""
        share = f"{done * 100 // total} % of {total // 2**20} MiB"
        end = "; looking at every member…\n" if done == total else "\r"
        self.stderr.write(f"Copied {share}{end}", ending="")

    def _list(self) -> None:
        for release in Release.objects.all():
            self.stdout.write(f"{release.name}\t{release.product}\t{release.state}\t{release.size}\t{release.digest}")
