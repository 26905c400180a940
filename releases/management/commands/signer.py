"""`manage.py signer add FILE --label WHO`, `signer list`, `signer drop FINGERPRINT --reason WHY`, `signer crl …`.

Until the first release is in the repository this is the first set-up, and root's word is enough. From then on the
command proposes, in the name of --by, and another person decides on the page Changes (docs/adr/0007).
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import Actor, Request, User
from releases import proposals, signers
from releases.models import Release, TrustedSigner


class Command(BaseCommand):
    help = "Say whose signature on a release counts."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="trust an armoured OpenPGP public key, or a CA's certificates in PEM")
        add.add_argument("file", type=Path)
        add.add_argument("--label", required=True, help="whose key it is, for people")
        add.add_argument("--group", default="release", help="what a channel's policy counts")
        add.add_argument("--crl", type=Path, help="of a CA: its list of revoked certificates in PEM")
        actions.add_parser("list", help="one line a signer")
        drop = actions.add_parser("drop", help="stop trusting a signer")
        drop.add_argument("fingerprint")
        crl = actions.add_parser("crl", help="take a CA's newer list of revoked certificates")
        crl.add_argument("fingerprint")
        crl.add_argument("file", type=Path)
        for action in (add, drop):
            action.add_argument("--by", default="", help="who proposes it, once the first set-up is over")
            action.add_argument("--reason", required=action is drop, default="")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, now = Actor.machine(f"manage.py, uid {os.getuid()}"), timezone.now()
        try:
            match options["action"]:
                case "add":
                    self._add(options, actor=actor, now=now)
                case "drop":
                    self._drop(options, actor=actor, now=now)
                case "crl":
                    news = proposals.take_crl(_signer(options), _text(options["file"]), by=None, actor=actor, now=now)
                    self.stdout.write("The list is taken; gateways follow." if news else "This list is here already.")
                case _:
                    self._list()
        except Refused as refusal:
            raise CommandError(refusal.say) from refusal
        except (OSError, UnicodeError) as error:
            raise CommandError(f"{options['file']} can't be read as a key: {error}") from error

    def _add(self, options: dict[str, Any], *, actor: Actor, now: datetime) -> None:
        crl = _text(options["crl"]) if options["crl"] else ""
        label, group = options["label"], options["group"]
        proposed = signers.read(_text(options["file"]), label=label, group=group, crl=crl, now=now)
        if _first_set_up() or signers.is_known(proposed):
            signer = signers.trust(proposed, actor=actor, now=now)
            self.stdout.write(f"Signatures of {signer.label} count from now on: {signer.fingerprint}.")
        else:
            why = options["reason"]
            self._asked(proposals.propose_trust(proposed, by=_asker(options), actor=actor, now=now, why=why))

    def _drop(self, options: dict[str, Any], *, actor: Actor, now: datetime) -> None:
        signer, why = _signer(options), options["reason"]
        if _first_set_up():
            signers.distrust(signer, reason=why, actor=actor, now=now)
            self.stdout.write(f"Signatures of {signer.label} count no more.")
        else:
            self._asked(proposals.propose_distrust(signer, by=_asker(options), actor=actor, now=now, why=why))

    def _asked(self, request: Request) -> None:
        self.stdout.write(f"{request.summary['title']}: change {request.pk} waits for another person.")

    def _list(self) -> None:
        for signer in TrustedSigner.objects.order_by("label"):
            state = "trusted" if signer.active else "not trusted"
            self.stdout.write(f"{signer.fingerprint}\t{state}\t{signer.label}")


def _first_set_up() -> bool:
    return not Release.objects.exists()


def _asker(options: dict[str, Any]) -> User:
    asker = User.objects.filter(username=options["by"], is_active=True).first()
    if asker is None:
        raise Refused(
            "The first set-up is over: signers change with a second person's approval. Say who proposes it (--by NAME,"
            " --reason WHY), or use the page Signers."
        )
    return asker


def _signer(options: dict[str, Any]) -> TrustedSigner:
    found = TrustedSigner.objects.filter(fingerprint=options["fingerprint"].replace(" ", "").upper()).first()
    if found is None:
        raise Refused(f"No signer has the fingerprint {options['fingerprint']}.")
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii")
