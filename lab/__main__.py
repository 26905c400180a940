"""The command line behind script/lab: up, status, down; and `guard`, which a lab starts for itself."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from lab.clients import Clients
from lab.commands import LabError
from lab.fleet import CACHE, Lab, remove
from lab.guard import watch
from lab.networks import Networks
from lab.requirements import lacking
from lab.state import Place, places


def main() -> int:
    """Run one command; 0 done, 1 with one sentence on standard error."""
    options = _parser().parse_args()
    try:
        return int(options.act(options) or 0)
    except LabError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; everything the lab had made is taken down.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/lab", description="A fleet of real ocserv gateways on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="build the fleet and leave it running")
    up.add_argument("--gateways", type=int, default=4, metavar="N")
    up.add_argument("--users", type=int, default=12, metavar="N")
    up.add_argument("--adopt", action="store_true", help="Debian's own ocserv on port 443, ocgate not installed yet")
    up.set_defaults(act=_up)
    status = commands.add_parser("status", help="what runs, and what the users' packets say")
    status.add_argument("--json", action="store_true")
    status.set_defaults(act=_status)
    commands.add_parser("down", help="end it, also one that was killed").set_defaults(act=_down)
    commands.add_parser("packages", help="the Debian packages that are lacking").set_defaults(act=_packages)
    guard = commands.add_parser("guard")
    for name, kind in (("place", int), ("token", str), ("pid", int), ("start", int)):
        guard.add_argument(name, type=kind)
    guard.set_defaults(act=_guard)
    return parser


def _up(options: argparse.Namespace) -> None:
    if reason := Place(0).taken_by():
        raise LabError(reason)
    lab = Lab(gateways=options.gateways, users=options.users, adopt=options.adopt, say=_say)
    lab.up()
    lab.detach()
    for gateway in lab.gateways:
        print(f"{gateway.name}: ssh {gateway.address} port {gateway.port}, users come to {gateway.public}")
    print(f"Inventory: {lab.inventory_path}. script/lab status shows the users, script/lab down ends it.")


def _say(line: str) -> None:
    print(line, flush=True)


def _status(options: argparse.Namespace) -> int:
    path = CACHE / "inventory.json"
    if not path.exists() or not Place(0).folder.exists():
        print("No lab is up; script/lab up builds one.")
        return 1
    inventory = json.loads(path.read_text())
    place = Place(inventory["place"])
    rows = Clients(place, Networks(place)).read(inventory["clients"])
    if options.json:
        print(json.dumps(rows))
    else:
        _print_rows(rows)
    return 0


def _print_rows(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        state = "connected" if row["connected"] else "NOT CONNECTED"
        counts = f"{row['sent']} sent, {row['lost']} lost, longest gap {row['longest_gap_ms']} ms"
        print(f"{row['user']:<8} {row['gateway']:<5} {state}, {counts}, {row['reconnects']} reconnects")
    kept = sum(row["connected"] for row in rows)
    print(f"{kept} of {len(rows)} users connected, {sum(row['lost'] for row in rows)} packets lost.")


def _down(_: argparse.Namespace) -> None:
    if Place(0).in_use():
        raise LabError(Place(0).taken_by())
    # Other places hold the labs of tests and demonstrations: those that live are theirs, the dead are cleaned.
    ended = [remove(place) for place in places() if not place.in_use()]
    print("The lab is down." if any(ended) else "No lab was up.")


def _packages(_: argparse.Namespace) -> None:
    print(" ".join(lacking()))


def _guard(options: argparse.Namespace) -> None:
    watch(Place(options.place), options.token, pid=options.pid, start=options.start)


if __name__ == "__main__":
    sys.exit(main())
