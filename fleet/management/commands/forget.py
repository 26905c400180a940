"""`manage.py forget NAME --why WHY`: forget a VPN user. The record keeps what happened, under a pseudonym that leads
nowhere any more, and is as whole as before."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from approvals import names
from approvals.models import Actor
from fleet.models import Ticket


class Command(BaseCommand):
    help = "Forget the name of a VPN user, behind the pseudonyms in the record and in complaints."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--why", required=True, help="for the record, which is for ever: don't write the name here")

    def handle(self, *args: Any, **options: Any) -> None:
        name, why = options["name"], options["why"]
        if name.casefold() in why.casefold():
            raise CommandError("The reason says the name, and the record keeps reasons for ever. Leave it out there.")
        actor = Actor.machine(f"manage.py, uid {os.getuid()}")
        with transaction.atomic():
            told = Ticket.objects.filter(user__iexact=name).update(user="")
            count = names.forget(name, why=why, actor=actor, now=timezone.now(), complaints=told)
        if not count and not told:
            raise CommandError(f"Nobody named {name} is known here: nothing was forgotten.")
        self.stdout.write(f"{count} pseudonyms lead nowhere any more, and {told} complaints have no name.")
