"""`manage.py people list` and, for the machine's owner, `manage.py people first NAME`: the first two administrators."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from approvals import people_journal
from approvals.models import Actor, RoleGroup, User
from approvals.people_services import on
from approvals.roles import ADMINISTRATOR, EVERYTHING, ROLES

ACTOR = Actor.machine("manage.py people")
WHY = "Set up at the machine: the first administrators give all other roles."
ENOUGH = 2  # from then on they give each other's roles, so that nobody does alone


class Command(BaseCommand):
    help = "Who holds which role; and the first administrators, whom nobody could give their role otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        first = actions.add_parser("first", help="make NAME an administrator, while there are fewer than two")
        first.add_argument("name")
        actions.add_parser("list", help="everybody with a role, one role a line")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self._list()
        else:
            self._first(options["name"])

    def _list(self) -> None:
        for stands in RoleGroup.objects.order_by("scope", "role"):
            for person in User.objects.filter(groups=stands.group_id).order_by("username"):
                role = ROLES.get(stands.role)
                self.stdout.write(f"{person.username}: {role.title if role else stands.role} {on(stands.scope)}")

    def _first(self, name: str) -> None:
        known = [person.username for person in people_journal.administrators()]
        if name in known:
            self.stdout.write(f"{name} is an administrator already.")
            return
        if len(known) >= ENOUGH:
            raise CommandError(f"{' and '.join(known)} are administrators: they give roles on the page People.")
        person = User.objects.filter(username=name).first() or self._made(name)
        with transaction.atomic():
            people_journal.give(person, ADMINISTRATOR, EVERYTHING, actor=ACTOR, now=timezone.now(), why=WHY)
        self.stdout.write(f"{name} is an administrator of everything.")
        if len(known) + 1 < ENOUGH:
            self.stdout.write("Make a second one in the same way: roles that approve take two people.")

    def _made(self, name: str) -> User:
        """A new account with the password that is typed, or that comes as the first line of standard input."""
        typed = getpass(f"Password of {name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        person = User(username=name)
        try:
            person.full_clean(exclude=["password"])
            validate_password(typed, person)
        except ValidationError as wrong:
            raise CommandError(" ".join(wrong.messages)) from wrong
        person.set_password(typed)
        person.save()
        return person
