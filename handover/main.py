"""From words on a command line to an exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from handover import complete, config
from handover.client import Client
from handover.doing import DOES, Run
from handover.ground import ERROR, INTERRUPTED, OK, USAGE, Ground, Stop
from handover.parts import Arg, Verb
from handover.table import NOUNS, VERBS

EPILOG = """Exit codes: 0 ok, 1 refused or broken, 2 called wrongly, 3 a gate failed or it was rolled back,
4 a person is awaited, 5 not over in time, 130 Ctrl-C. The dashboard: HANDOVER_URL and HANDOVER_TOKEN."""


def main(argv: Sequence[str], ground: Ground | None = None) -> int:
    """Run one command; return the exit code (handover/ground.py). Results go to `out`, messages to `err`."""
    ground = ground or Ground()
    try:
        said = parser().parse_args(argv)
    except SystemExit as ended:  # argparse's way to say that it has said all
        return USAGE if ended.code else OK
    try:
        if said.noun == "completion":
            print(complete.script(said.shell), file=ground.out)
            return OK
        verb: Verb = said.verb
        return DOES[verb.does](Run(verb, said, Client(config.read(ground), ground), ground))
    except Stop as stop:
        ground.tell(stop.say)
        return stop.code
    except KeyboardInterrupt:
        ground.tell("Interrupted. What was asked for goes on.")
        return INTERRUPTED
    except BrokenPipeError:
        return ERROR


def parser() -> argparse.ArgumentParser:
    """Nouns, then verbs, from the table."""
    whole = argparse.ArgumentParser(
        prog="handover", description="Upgrade VPN gateways and keep their users.", epilog=EPILOG, allow_abbrev=False
    )
    nouns = whole.add_subparsers(dest="noun", required=True, metavar="NOUN")
    for noun in NOUNS:
        mine = [verb for verb in VERBS if verb.noun == noun]
        say = ", ".join(verb.name for verb in mine)
        verbs = nouns.add_parser(noun, help=say, allow_abbrev=False).add_subparsers(required=True, metavar="VERB")
        for verb in mine:
            add(verbs, verb)
    shells = nouns.add_parser("completion", help="a script that completes commands in a shell")
    shells.add_argument("shell", choices=tuple(complete.SHELLS))
    return whole


def add(verbs: Any, verb: Verb) -> None:
    """One verb with its arguments."""
    made = verbs.add_parser(verb.name, help=verb.say, description=verb.say, allow_abbrev=False)
    made.set_defaults(verb=verb)
    made.add_argument("--json", action="store_true", help="the whole answer as JSON")
    for arg in verb.args:
        if arg.to == "path":
            made.add_argument(arg.name, type=arg.kind, help=arg.say)
        else:
            option(made, arg)


def option(made: argparse.ArgumentParser, arg: Arg) -> None:
    name = f"--{arg.name.replace('_', '-')}"
    if arg.kind is bool:
        made.add_argument(name, dest=arg.name, action="store_true", help=arg.say)
        return
    more: dict[str, Any] = {"action": "append"} if arg.many else {}
    if arg.choices:
        more["choices"] = arg.choices
    made.add_argument(name, dest=arg.name, type=arg.kind, required=arg.needed, help=arg.say, **more)
