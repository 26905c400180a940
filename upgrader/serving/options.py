"""The command line of script/serve. The supervisor hands the most of it on to the crew."""

from __future__ import annotations

import argparse
from pathlib import Path

from upgrader.serving.child import LONGEST_PAUSE


def chosen(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/serve", description="Run the dashboard and all that it needs.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--logs", type=Path, help="a folder for one log a program, instead of standard error")
    parser.add_argument(
        "--longest-pause",
        type=float,
        default=LONGEST_PAUSE,
        metavar="SECONDS",
        help="at most this long before a program that keeps ending is started again (%(default)s)",
    )
    parser.add_argument("--leash", action="store_true", help="end when standard input is closed")
    return parser.parse_args(argv)


def passed_on(options: argparse.Namespace) -> list[str]:
    """The options as words for the crew; the leash is the supervisor's own."""
    words = ["--host", options.host, "--port", str(options.port), "--longest-pause", str(options.longest_pause)]
    return [*words, "--logs", str(options.logs)] if options.logs else words
