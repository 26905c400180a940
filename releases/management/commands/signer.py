"""`manage.py signer add FILE --label WHO`, `signer list`, `signer drop FINGERPRINT --reason WHY`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import Actor
from releases import services
from releases.models import TrustedSigner


class Command(BaseCommand):
    help = "Say whose signature on a release counts."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="trust an armoured OpenPGP public key")
        add.add_argument("file", type=Path)
        add.add_argument("--label", required=True, help="whose key it is, for people")
        actions.add_parser("list", help="one line a signer")
        drop = actions.add_parser("drop", help="stop trusting a signer")
        drop.add_argument("fingerprint")
        drop.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        actor, now = Actor.machine(f"manage.py, uid {os.getuid()}"), timezone.now()
        try:
            match options["action"]:
                case "add":
                    key = options["file"].read_text(encoding="ascii")
                    signer = services.trust_signer(key, options["label"], actor=actor, now=now)
                    self.stdout.write(f"Signatures of {signer.label} count from now on: {signer.fingerprint}.")
                case "drop":
                    signer = TrustedSigner.objects.get(fingerprint=options["fingerprint"].replace(" ", "").upper())
                    services.distrust_signer(signer, reason=options["reason"], actor=actor, now=now)
                    self.stdout.write(f"Signatures of {signer.label} count no more.")
                case _:
                    self._list()
        except Refused as refusal:
            raise CommandError(refusal.say) from refusal
        except (OSError, UnicodeError) as error:
            raise CommandError(f"{options['file']} can't be read as a key: {error}") from error
        except TrustedSigner.DoesNotExist:
            raise CommandError(f"No signer has the fingerprint {options['fingerprint']}.")

    def _list(self) -> None:
        for signer in TrustedSigner.objects.order_by("label"):
            state = "trusted" if signer.active else "not trusted"
            self.stdout.write(f"{signer.fingerprint}\t{state}\t{signer.label}")
