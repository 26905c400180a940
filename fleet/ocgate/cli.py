"""The command line: `serve` and `slot N` for machines, the rest for the person at the gateway."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import List

from . import VERSION, install, keep, supervise, uninstall
from .errors import Answered
from .paths import SYSTEM
from .serve import serve


def main(argv: List[str]) -> int:
    """Run one command; 0 done, 1 refused (the sentence is on standard error), 2 wrong usage."""
    options = _parser().parse_args(argv)
    os.umask(0o022)
    if os.geteuid() != 0:
        print("ocgate must run as root: it loads nftables rules and starts ocserv.", file=sys.stderr)
        return 1
    try:
        return _command(options)
    except Answered as refusal:
        print(refusal.say, file=sys.stderr)
        return 1


def _command(options: argparse.Namespace) -> int:
    if options.command == "serve":
        return serve(SYSTEM)
    if options.command == "keep":
        return keep.keep(SYSTEM)
    if options.command == "slot":
        return supervise.run_slot(SYSTEM, options.number, watched=options.supervise)
    if options.command == "install":
        wish = install.Wish(
            user=options.user,
            key=options.key,
            config=options.config,
            trust=options.trust,
            adopt=options.adopt,
            first=options.first,
            in_place=options.in_place,
        )
        return install.install(SYSTEM, wish, program=Path(sys.argv[0]))
    return uninstall.uninstall(SYSTEM, cut=options.cut)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ocgate", description="Upgrades ocserv on this gateway without cutting its users."
    )
    parser.add_argument("--version", action="version", version=f"ocgate {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer requests on standard input (the forced command of the controller's key)")
    commands.add_parser("keep", help="stay and keep the nftables table and the committed slot")
    slot = commands.add_parser("slot", help="become the ocserv of one slot (what its unit runs)")
    slot.add_argument("number", type=int, choices=(1, 2, 3))
    slot.add_argument(
        "--supervise",
        action="store_true",
        help="stay as its parent and restart it, where there is no systemd",
    )
    make = commands.add_parser("install", help="make this machine a gateway")
    make.add_argument("--user", default="ocgate")
    make.add_argument("--key", required=True, help="the controller's public SSH key")
    make.add_argument("--config", required=True, type=Path)
    make.add_argument("--trust", required=True, type=Path, help="folder with policy.json, openpgp.gpg, ca-N.pem")
    first = make.add_mutually_exclusive_group()
    first.add_argument(
        "--adopt", action="store_true", help="the ocserv that runs here now becomes slot 1; nobody is cut"
    )
    first.add_argument("--first", type=Path, help="a release folder for a new gateway without users")
    make.add_argument(
        "--in-place",
        action="store_true",
        help="do without nft: an upgrade puts one release in the place of the other and cuts who is connected",
    )
    leave = commands.add_parser("uninstall", help="leave the machine as it was")
    leave.add_argument(
        "--cut", action="store_true", help="go on even where users are connected to a slot; they are cut"
    )
    return parser
