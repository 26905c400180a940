"""`manage.py prepare`: what the product needs before it starts. script/serve runs it each time; nothing happens twice.

The schema of this version, and the strategies that come with it: who installs on a Friday must have them.
"""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Bring the database to this version, and store the strategies that come with it."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("strategy", "load", stdout=self.stdout)
