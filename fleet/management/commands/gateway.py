"""`manage.py gateway add NAME …`, `import FILE`, `leave NAME`, `pin NAME …`, `list`, `key FILE`.

What a second person must confirm is asked with --by PERSON and waits on the page Changes. --confirmed WHY does it at
once: who can run this command holds the database and its keys anyway, so it only has to be on the record.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import enrolment, imports, sealed, services
from fleet.enrolment import Asked
from fleet.errors import GiveUp
from fleet.gateways.dial import fingerprint, fingerprint_of, private_key
from fleet.gateways.rows import SSH_KEY
from fleet.models import Gateway, Pool


class Command(BaseCommand):
    help = "Enrol gateways, import them, let them leave, list them, pin host keys, keep the SSH key."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="ask to enrol a gateway; with --confirmed at once")
        add.add_argument("name")
        add.add_argument("--pool", required=True, help="its name; made if there is none")
        add.add_argument("--address", required=True, help="where its sshd answers")
        add.add_argument("--port", type=int, default=22)
        add.add_argument("--user", default="ocgate")
        add.add_argument("--public-address", default="", help="where its users connect")
        add.add_argument("--failure-domain", default="", help="gateways with the same one fail together")
        _host_keys(add)
        _who(add)
        bring = actions.add_parser(
            "import", help="an ansible inventory (INI, YAML, --list JSON) or CSV; shows, then asks"
        )
        bring.add_argument("file", type=Path)
        bring.add_argument("--pool", required=True, help="the pool that they shall belong to")
        bring.add_argument("--by", default="", help="the person who asks; without it the preview is shown only")
        leave = actions.add_parser("leave", help="ask to let a gateway leave the fleet")
        leave.add_argument("name")
        leave.add_argument("--by", required=True, help="the person who asks")
        leave.add_argument("--why", required=True)
        actions.add_parser("list", help="one line a gateway")
        pin = actions.add_parser("pin", help="ask to pin other host keys; with --confirmed at once; ends a quarantine")
        pin.add_argument("name")
        _host_keys(pin)
        _who(pin)
        key = actions.add_parser("key", help="keep the private key that signs in to the gateways; - reads stdin")
        key.add_argument("file", help="OpenSSH format, Ed25519 or RSA, no passphrase")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (Refused, GiveUp) as refusal:
            raise CommandError(refusal.say) from refusal
        except sealed.Unreadable as unreadable:
            raise CommandError(str(unreadable)) from unreadable
        except Gateway.DoesNotExist:
            raise CommandError(f"No gateway is called {options['name']}.")

    def _add(self, options: dict[str, Any]) -> None:
        asked = Asked(
            name=options["name"],
            address=options["address"],
            port=options["port"],
            ssh_user=options["user"],
            public_address=options["public_address"],
            failure_domain=options["failure_domain"],
            keys=tuple(_parsed(options["host_key"])),
        )
        if not options["confirmed"]:
            pool = _pool(options["pool"])
            self._asked(enrolment.propose([asked], pool, by=_person(options["by"]), actor=_actor(), now=timezone.now()))
            return
        pool, _ = Pool.objects.get_or_create(name=options["pool"])
        wish = {name: getattr(asked, name) for name in ("name", "address", "port", "ssh_user", "public_address")}
        gateway = services.enrol(
            **wish,
            pool=pool,
            failure_domain=asked.failure_domain,
            host_keys=asked.keys,
            why=options["confirmed"],
            actor=_actor(),
            now=timezone.now(),
        )
        self.stdout.write(f"{gateway.name} is enrolled in {pool.name}; pinned: {', '.join(_pinned(gateway))}.")

    def _import(self, options: dict[str, Any]) -> None:
        pool = _pool(options["pool"])
        preview = imports.preview(_read(options["file"]), options["file"].name)
        for row in preview:
            self.stdout.write("\t".join([row.what, row.asked.name, f"{row.asked.address}:{row.asked.port}", row.say]))
        new = [row.asked for row in preview if row.what == imports.NEW]
        if options["by"] and new:
            why = f"Imported from {options['file'].name}"
            by = _person(options["by"])
            self._asked(enrolment.propose(new, pool, by=by, actor=_actor(), now=timezone.now(), why=why))

    def _leave(self, options: dict[str, Any]) -> None:
        gateway = Gateway.objects.get(name=options["name"])
        by = _person(options["by"])
        self._asked(enrolment.propose_leave(gateway, by=by, actor=_actor(), now=timezone.now(), why=options["why"]))

    def _list(self, options: dict[str, Any]) -> None:
        for gateway in Gateway.objects.select_related("pool"):
            where = f"{gateway.address}:{gateway.port}"
            line = [
                gateway.name,
                gateway.pool.name,
                where,
                gateway.state,
                gateway.release or "-",
                str(gateway.sessions),
            ]
            self.stdout.write("\t".join([*line, gateway.state_reason]))

    def _pin(self, options: dict[str, Any]) -> None:
        gateway = Gateway.objects.get(name=options["name"])
        keys, now, why = _parsed(options["host_key"]), timezone.now(), options["confirmed"]
        if not why:
            by = _person(options["by"])
            self._asked(enrolment.propose_host_key(gateway, keys, by=by, actor=_actor(), now=now, why=""))
            return
        services.pin(gateway, host_keys=keys, actor=_actor(), now=now, why=why)
        self.stdout.write(f"{gateway.name} is pinned to {', '.join(_pinned(gateway))} and is talked to again.")

    def _key(self, options: dict[str, Any]) -> None:
        secret = sys.stdin.buffer.read() if options["file"] == "-" else _read(Path(options["file"]))
        shown = fingerprint(private_key(secret).asbytes())
        with transaction.atomic():
            sealed.seal(SSH_KEY, secret)
            details = {"public": shown}
            audit.append("credential.kept", subject=SSH_KEY, actor=_actor(), at=timezone.now(), details=details)
        self.stdout.write(f"The SSH key {shown} is kept.")

    def _asked(self, request: Request) -> None:
        self.stdout.write(f"{request.summary['title']}: asked as change {request.pk}; a second person confirms it.")


def _who(parser: Any) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--by", default="", help="the person who asks; a second one confirms on the page Changes")
    who.add_argument(
        "--confirmed", default="", metavar="WHY", help="do it at once; who compared the keys, for the record"
    )


def _host_keys(parser: Any) -> None:
    parser.add_argument(
        "--host-key",
        action="append",
        required=True,
        help='a line like "ssh-ed25519 AAAA…", or the path of a file with such lines; may be given more than once',
    )


def _parsed(given: list[str]) -> list[tuple[str, str]]:
    """Lines of public keys, as arguments or in files, as (kind, base64)."""
    lines: list[str] = []
    for text in given:
        lines += [text] if " " in text.strip() else _read(Path(text)).decode("utf-8", "replace").splitlines()
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [(line[0], line[1]) for line in words if len(line) >= 2]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as unreadable:
        raise CommandError(f"{path} can't be read: {unreadable.strerror}.")


def _pool(name: str) -> Pool:
    try:
        return Pool.objects.get(name=name)
    except Pool.DoesNotExist:
        raise CommandError(f"No pool is called {name}.")


def _person(name: str) -> User:
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist:
        raise CommandError(f"Nobody is called {name}.")


def _pinned(gateway: Gateway) -> list[str]:
    return [f"{kind} {fingerprint_of(key)}" for kind, key in gateway.host_keys.values_list("kind", "key")]


def _actor() -> Actor:
    return Actor.machine(f"manage.py, uid {os.getuid()}")
