"""`manage.py believe NAME… --why WHY`: gateways have seen orders that this database, from a backup, does not know.

Who can run this holds the database and its keys anyway, so it only has to be on the record.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import Actor
from fleet.models import Gateway
from upgrader import believing


class Command(BaseCommand):
    help = "Believe gateways that are ahead of this database: take what they say, close the old plans for them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="+")
        parser.add_argument("--why", required=True, help="for the record: which backup, and who looked at the gateways")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in options["name"]:
            gateway = Gateway.objects.filter(name=name).first()
            if gateway is None:
                raise CommandError(f"There is no gateway {name}.")
            try:
                actor = Actor.machine("believe")
                self.stdout.write(believing.believe(gateway, actor=actor, now=timezone.now(), why=options["why"]))
            except Refused as no:
                raise CommandError(no.say)
