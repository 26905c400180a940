"""`manage.py rights table > docs/rights.md`: what every address answers to every role."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from upgrader import rights_doc


class Command(BaseCommand):
    help = "Print the table of rights as Markdown."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["table"])

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(rights_doc.text(), ending="")
