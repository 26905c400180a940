"""`probegate serve` answers requests on its standard input, JSON lines as in docs/ocgate-protocol.md."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Callable

from . import fetch, script
from .form import form
from .tunnel import signed_in
from .words import Refused, Wish, parsed, wishes

VERSION = "1"
REQUEST_MOST = 256 * 1024  # bytes
AT_ONCE = 4
OWN_CA = "/etc/probegate/ca.pem"
NEEDED = ("openconnect", "ip", "unshare", "nsenter", "setpriv", "ping")


class Probegate:
    """`ca`: a file with the authority that signed the gateways' certificates, "" for the system's own."""

    def __init__(self, ca: str) -> None:
        self._ca = ca
        self._out = threading.Lock()
        self._verbs: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
            "hello": self.hello,
            "probe": self.probe,
        }

    def answer(self, line: bytes) -> dict[str, Any]:
        """One request line → its last answer; what comes before is written on the way."""
        id: Any = None
        try:
            request = parsed(line)
            id = request["id"]
            if request["verb"] not in self._verbs:
                raise Refused("bad_request", "There is no such verb.")
            return {"id": id, "ok": True, "result": self._verbs[request["verb"]](id, request["args"])}
        except Refused as no:
            return {"id": id, "ok": False, "error": {"kind": "refused", "code": no.code, "say": no.say}}
        except Exception as bug:
            error = {"kind": "bug", "code": type(bug).__name__, "say": f"probegate failed: {bug}"[:300]}
            return {"id": id, "ok": False, "error": error}

    def hello(self, _: Any, __: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in NEEDED if shutil.which(name) is None]
        return {"probegate": VERSION, "now": time.time(), "missing": missing}

    def probe(self, id: Any, args: dict[str, Any]) -> dict[str, Any]:
        """Each gateway's result as a progress line when it is there."""
        asked = wishes(args)
        if missing := [name for name in NEEDED if shutil.which(name) is None]:
            raise Refused("missing", f"This machine lacks {', '.join(missing)}.")
        threads = ThreadPoolExecutor(AT_ONCE)
        try:
            for ended in as_completed([threads.submit(self._probed, wish) for wish in asked]):
                self.write({"id": id, "progress": "probed", "probed": ended.result()})
        finally:
            # Nobody may be listening any more: then no further probe is begun.
            threads.shutdown(cancel_futures=True)
        return {"probed": len(asked)}

    def write(self, message: dict[str, Any]) -> None:
        with self._out:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    def _probed(self, wish: Wish) -> dict[str, Any]:
        at = time.time()
        try:
            found = signed_in(wish, ca=self._ca) if wish.user else form(wish, ca=self._ca)
        except OSError as failure:  # of this machine: no namespace, no program
            found = {"stage": "", "outcome": "host", "why": f"{failure}"[:200]}
        return {"gateway": wish.gateway, "at": at, **found}


def serve(probegate: Probegate) -> None:
    while line := sys.stdin.buffer.readline(REQUEST_MOST + 1):
        probegate.write(probegate.answer(line))
        if len(line) > REQUEST_MOST or not line.endswith(b"\n"):
            return


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="probegate")
    doors = parser.add_subparsers(dest="door", required=True)
    doors.add_parser("serve").add_argument("--cafile", default="")
    inner = doors.add_parser("script")
    inner.add_argument("token")
    inner.add_argument("pid")
    doors.add_parser("fetch").add_argument("url")
    options = parser.parse_args(argv)
    if options.door == "script":
        return script.main(options.token, options.pid)
    if options.door == "fetch":
        return fetch.main(options.url)
    serve(Probegate(options.cafile or (OWN_CA if os.path.exists(OWN_CA) else "")))
    return 0
