"""`manage.py balancer key`, `add NAME …`, `place GATEWAY …`, `remove NAME`, `look`.

What a second person must confirm is asked with --by PERSON and waits on the page Changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import balancers, sealed, sshca
from fleet.balancers import Place
from fleet.errors import GiveUp
from fleet.hagate_build import build
from fleet.models import Balancer, Gateway, Pool
from fleet.traffic.rows import BALANCER_KEY


class Command(BaseCommand):
    help = "The load balancers in front of gateways: ask for them, say who stands behind them, look at them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("key", help="make our key for balancers if there is none; prints its public half")
        program = actions.add_parser("program", help="write hagate, which a balancer needs, to FILE")
        program.add_argument("file", type=Path)
        add = actions.add_parser("add", help="ask for a balancer, or for other peers of one")
        add.add_argument("name")
        add.add_argument("--pool", required=True)
        add.add_argument(
            "--peer",
            action="append",
            required=True,
            metavar="NAME=USER@ADDRESS:PORT,KIND,KEY",
            help="one for each machine; the key as in /etc/ssh/ssh_host_ed25519_key.pub",
        )
        add.add_argument(
            "--share", action="append", default=[], metavar="POOL", help="another pool whose gateways stand behind it"
        )
        place = actions.add_parser("place", help="ask to say that a gateway stands behind a balancer, or behind none")
        place.add_argument("gateway")
        place.add_argument("--balancer", default="", help="without it: behind none any more")
        place.add_argument("--backend", default="")
        place.add_argument("--server", action="append", default=[], metavar="[SLOT=]NAME")
        remove = actions.add_parser("remove", help="ask to forget a balancer")
        remove.add_argument("name")
        for asking in (add, place, remove):
            asking.add_argument("--by", required=True, help="the person who asks")
            asking.add_argument("--why", default="")
        actions.add_parser("look", help="ask all balancers how they stand")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (Refused, GiveUp) as refusal:
            raise CommandError(refusal.say) from refusal
        except (Balancer.DoesNotExist, Gateway.DoesNotExist, Pool.DoesNotExist, User.DoesNotExist) as unknown:
            raise CommandError(str(unknown)) from unknown

    def _key(self, _: dict[str, Any]) -> None:
        if (secret := sealed.unseal_or_none(BALANCER_KEY)) is None:
            secret = sshca.make()
            sealed.seal(BALANCER_KEY, secret)
            actor, now = Actor.machine("manage.py"), timezone.now()
            audit.append("credential.made", subject=f"credential:{BALANCER_KEY}", actor=actor, at=now)
        self.stdout.write(sshca.public_line(secret))

    def _program(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{build(options['file'])} is hagate; docs/traffic.md says where it belongs.")

    def _add(self, options: dict[str, Any]) -> None:
        peers = [balancers.peer_of(text) for text in options["peer"]]
        pool = Pool.objects.get(name=options["pool"])
        who = _who(options)
        self._asked(balancers.propose(options["name"], pool, peers, shared=options["share"], **who))

    def _place(self, options: dict[str, Any]) -> None:
        servers = dict(_server(text) for text in options["server"])
        place = Place(options["balancer"], options["backend"], servers)
        gateway = Gateway.objects.get(name=options["gateway"])
        self._asked(balancers.propose_place(gateway, place, **_who(options)))

    def _remove(self, options: dict[str, Any]) -> None:
        balancer = Balancer.objects.get(name=options["name"])
        self._asked(balancers.propose_removal(balancer, **_who(options)))

    def _look(self, _: dict[str, Any]) -> None:
        for balancer in Balancer.objects.all():
            balancers.look(balancer, now=timezone.now())
            balancer.refresh_from_db()
            seen = balancer.seen
            says = [say for one in seen["gateways"].values() for say in one["differences"]]
            self.stdout.write(f"{balancer.name}: {' '.join([seen['say'], *says]).strip() or 'its peers agree.'}")

    def _asked(self, request: Request) -> None:
        self.stdout.write(f"Asked: {request.summary['title']}. It waits for a second person at /changes/{request.pk}/.")


def _who(options: dict[str, Any]) -> dict[str, Any]:
    by = User.objects.get(username=options["by"])
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    return {"by": by, "actor": actor, "now": timezone.now(), "why": options["why"]}


def _server(text: str) -> tuple[str, str]:
    slot, _, name = text.rpartition("=")
    return slot, name
