"""`manage.py strategy load`, `strategy list`: the strategies that come with the product, and those that are here."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from approvals.models import Actor
from fleet.phrases import count
from upgrader import strategy_store
from upgrader.models import Strategy


class Command(BaseCommand):
    help = "Store the strategies that come with the product, or list those that are here."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("load", help="store what is shipped and not here yet; what people changed stays theirs")
        actions.add_parser("list", help="one line a version")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "load":
            actor = Actor.machine(f"manage.py, uid {os.getuid()}")
            made = strategy_store.load(actor=actor, now=timezone.now())
            names = "".join(f"\n  {row} {row.title}" for row in made)
            self.stdout.write(f"{count(len(made), 'new version')}{names}")
            return
        for row in Strategy.objects.all():
            retired = f" retired {row.retired_at:%Y-%m-%d}" if row.retired_at else ""
            self.stdout.write(f"{row} {row.title}{retired}")
