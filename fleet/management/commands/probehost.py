"""`manage.py probehost key`, `program FILE`, `account` and `camouflage GATEWAY`, `add NAME …`, `remove`, `try NAME`.

What a second person must confirm is asked with --by PERSON and waits on the page Changes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import sealed, sshca
from fleet.errors import GiveUp, RetryLater
from fleet.models import Gateway, Pool, ProbeHost
from fleet.probes import door, hosts
from fleet.probes.build import build


class Command(BaseCommand):
    help = "Machines outside that sign in at gateways as users do: ask for them, try them. docs/probes.md."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("key", help="make our key for probe hosts if there is none; prints its public half")
        program = actions.add_parser("program", help="write probegate, which a probe host needs, to FILE")
        program.add_argument("file", type=Path)
        account = actions.add_parser("account", help="keep a gateway's probe account; its password comes on stdin")
        account.add_argument("gateway")
        account.add_argument("--user", default="", help="without it: the gateway has no probe account any more")
        hidden = actions.add_parser("camouflage", help="keep a gateway's camouflage secret; it comes on stdin")
        hidden.add_argument("gateway")
        hidden.add_argument("--off", action="store_true", help="the gateway hides no more")
        add = actions.add_parser("add", help="ask for a probe host, or change one")
        add.add_argument("name")
        add.add_argument("--pool", required=True)
        add.add_argument("--at", required=True, metavar="USER@ADDRESS:PORT")
        add.add_argument("--key", required=True, metavar="'KIND KEY'", help="as in its ssh_host_ed25519_key.pub")
        add.add_argument("--ssh-ca", action="store_true", help="it lets certificates of our SSH CA in")
        add.add_argument("--seen-from", default="", help="behind NAT: its outer address")
        add.add_argument("--ping", default="", help="IPv4 address behind the tunnel; else the gateway's own end")
        add.add_argument("--fetch", default="", help="http address behind the tunnel; else echo packets")
        remove = actions.add_parser("remove", help="ask to forget a probe host")
        remove.add_argument("name")
        for asking in (add, remove):
            asking.add_argument("--by", required=True, help="the person who asks")
            asking.add_argument("--why", default="")
        actions.add_parser("try", help="sign in at a probe host and ask what it lacks").add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (Refused, GiveUp, RetryLater) as refusal:
            raise CommandError(refusal.say) from refusal
        except (Gateway.DoesNotExist, ProbeHost.DoesNotExist, Pool.DoesNotExist, User.DoesNotExist) as unknown:
            raise CommandError(str(unknown)) from unknown

    def _key(self, _: dict[str, Any]) -> None:
        if (secret := sealed.unseal_or_none(door.PROBE_KEY)) is None:
            secret = sshca.make()
            sealed.seal(door.PROBE_KEY, secret)
            actor, now = Actor.machine("manage.py"), timezone.now()
            audit.append("credential.made", subject=f"credential:{door.PROBE_KEY}", actor=actor, at=now)
        self.stdout.write(sshca.public_line(secret))

    def _account(self, options: dict[str, Any]) -> None:
        gateway, user = Gateway.objects.get(name=options["gateway"]), options["user"]
        password = sys.stdin.readline().rstrip("\n") if user else ""
        if user and (not password or "\n" in user):
            raise Refused("A probe account needs a user name of one line, and its password on standard input.")
        hosts.keep_account(gateway, user, password, actor=Actor.machine("manage.py"), now=timezone.now())
        self.stdout.write(f"{gateway.name} is probed as {user}." if user else f"{gateway.name} is probed to its form.")

    def _camouflage(self, options: dict[str, Any]) -> None:
        gateway = Gateway.objects.get(name=options["gateway"])
        secret = "" if options["off"] else sys.stdin.readline().strip()
        if not secret and not options["off"]:
            raise Refused("The secret comes on standard input, as camouflage_secret in ocserv.conf has it.")
        hosts.keep_secret(gateway, secret, actor=Actor.machine("manage.py"), now=timezone.now())
        said = "with its secret in the address" if secret else "without a secret in the address"
        self.stdout.write(f"{gateway.name} is probed {said}.")

    def _program(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{build(options['file'])} is probegate; docs/probes.md says where it belongs.")

    def _add(self, options: dict[str, Any]) -> None:
        other = {name: options[name] for name in ("ssh_ca", "seen_from", "ping", "fetch")}
        wish = hosts.asked_of(options["name"], options["at"], options["key"], **other)
        self._asked(hosts.propose(wish, Pool.objects.get(name=options["pool"]), **_who(options)))

    def _remove(self, options: dict[str, Any]) -> None:
        self._asked(hosts.propose_removal(ProbeHost.objects.get(name=options["name"]), **_who(options)))

    def _try(self, options: dict[str, Any]) -> None:
        host = ProbeHost.objects.get(name=options["name"])
        reached = door.open(host)
        try:
            said = reached.hello()
        finally:
            reached.close()
        lacks = ", ".join(map(str, said.get("missing", [])))
        self.stdout.write(
            f"{host.name} answers" + (f", but lacks {lacks}." if lacks else " and has all that it needs.")
        )

    def _asked(self, request: Request) -> None:
        self.stdout.write(f"Asked: {request.summary['title']}. It waits for a second person at /changes/{request.pk}/.")


def _who(options: dict[str, Any]) -> dict[str, Any]:
    by = User.objects.get(username=options["by"])
    return {"by": by, "actor": Actor("person", by.username, by.pk), "now": timezone.now(), "why": options["why"]}
