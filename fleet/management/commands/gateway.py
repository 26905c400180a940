"""`manage.py gateway add NAME …`, `gateway list`, `gateway pin NAME …`, `gateway key FILE`, `gateway rotate`."""

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
from approvals.models import Actor
from fleet import sealed, services
from fleet.errors import GiveUp
from fleet.gateways.dial import fingerprint, fingerprint_of, private_key
from fleet.gateways.rows import SSH_KEY
from fleet.models import Gateway, Pool


class Command(BaseCommand):
    help = "Enrol gateways, list them, pin host keys that a person has compared, keep the SSH key."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="enrol a gateway; a second time changes what differs")
        add.add_argument("name")
        add.add_argument("--pool", required=True, help="its name; made if there is none")
        add.add_argument("--address", required=True, help="where its sshd answers")
        add.add_argument("--port", type=int, default=22)
        add.add_argument("--user", default="ocgate")
        add.add_argument("--public-address", default="", help="where its users connect")
        add.add_argument("--failure-domain", default="", help="gateways with the same one fail together")
        _host_keys(add)
        actions.add_parser("list", help="one line a gateway")
        pin = actions.add_parser("pin", help="pin host keys whose fingerprints were compared; ends a quarantine")
        pin.add_argument("name")
        _host_keys(pin)
        key = actions.add_parser(
            "key", help="keep the private key that signs in to the gateways; - reads it from stdin"
        )
        key.add_argument("file", help="OpenSSH format, Ed25519 or RSA, no passphrase")
        actions.add_parser("rotate", help="seal every credential with the present sealing key")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {"add": self._add, "list": self._list, "pin": self._pin, "key": self._keep_key}
        try:
            actions.get(options["action"], self._rotate)(options)
        except (Refused, GiveUp) as refusal:
            raise CommandError(refusal.say) from refusal
        except sealed.Unreadable as unreadable:
            raise CommandError(str(unreadable)) from unreadable
        except Gateway.DoesNotExist:
            raise CommandError(f"No gateway is called {options['name']}.")

    def _add(self, options: dict[str, Any]) -> None:
        pool, _ = Pool.objects.get_or_create(name=options["pool"])
        gateway = services.enrol(
            name=options["name"],
            pool=pool,
            address=options["address"],
            port=options["port"],
            host_keys=_parsed(options["host_key"]),
            ssh_user=options["user"],
            public_address=options["public_address"],
            failure_domain=options["failure_domain"],
            actor=_actor(),
            now=timezone.now(),
        )
        self.stdout.write(f"{gateway.name} is enrolled in {pool.name}; pinned: {', '.join(_pinned(gateway))}.")

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
        services.pin(gateway, host_keys=_parsed(options["host_key"]), actor=_actor(), now=timezone.now())
        self.stdout.write(f"{gateway.name} is pinned to {', '.join(_pinned(gateway))} and is talked to again.")

    def _keep_key(self, options: dict[str, Any]) -> None:
        secret = sys.stdin.buffer.read() if options["file"] == "-" else _read(Path(options["file"]))
        shown = fingerprint(private_key(secret).asbytes())
        with transaction.atomic():
            sealed.seal(SSH_KEY, secret)
            details = {"public": shown}
            audit.append("credential.kept", subject=SSH_KEY, actor=_actor(), at=timezone.now(), details=details)
        self.stdout.write(f"The SSH key {shown} is kept.")

    def _rotate(self, options: dict[str, Any]) -> None:
        with transaction.atomic():
            count = sealed.rotate()
            audit.append(
                "credential.rotated", subject="credentials", actor=_actor(), at=timezone.now(), details={"count": count}
            )
        self.stdout.write(f"{count} credentials were sealed anew.")


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


def _pinned(gateway: Gateway) -> list[str]:
    return [f"{kind} {fingerprint_of(key)}" for kind, key in gateway.host_keys.values_list("kind", "key")]


def _actor() -> Actor:
    return Actor.machine(f"manage.py, uid {os.getuid()}")
