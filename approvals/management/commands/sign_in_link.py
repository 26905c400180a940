"""`manage.py sign-in-link NAME`: a link with which a person sets his password, for who holds the machine."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals import accounts
from approvals.errors import Refused
from approvals.models import Actor, User


class Command(BaseCommand):
    help = "Print a link with which NAME sets a password, once, within a day; --add makes the account first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--add", action="store_true", help="make the account if there is none")
        parser.add_argument("--email", default="", help="the address by which the company's sign-in knows this person")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.machine(f"manage.py, uid {os.getuid()}")
        try:
            user = User.objects.filter(username=options["name"]).first()
            if user is None and options["add"]:
                user = accounts.invite(options["name"], options["email"], actor=actor, now=timezone.now())
            if user is None:
                raise CommandError(f"There is no account {options['name']}; --add makes one.")
            path = accounts.link(user, actor=actor, now=timezone.now())
        except Refused as refusal:
            raise CommandError(refusal.say)
        self.stdout.write(f"{settings.PUBLIC_URL}{path}")
