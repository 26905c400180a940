"""`hagate serve` answers requests on its standard input; `hagate end` waits for the end of one trial."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from typing import Any, Callable

from .api import ADMIN_STATE, BE_NAME, SRV_ID, SRV_NAME, UWEIGHT, Api
from .held import Held, trial
from .words import Refused, admin_of, checked_changes, named, parsed, plain_address, seconds_of

VERSION = "1"
REQUEST_MOST = 256 * 1024  # bytes
AGAIN_SECONDS, AGAIN_MOST = 1.0, 3600  # while HAProxy does not hear the end of a trial
BITS = {"ready": "0", "drain": "8", "maint": "1"}


class Hagate:
    """Answers about some backends of one HAProxy."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._backends = frozenset(options.backends.split(","))
        self._api, self._held = Api(options.socket), Held(options.state)
        self._verbs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "show": self.show,
            "set": self.set,
            "forget": self.forget,
        }

    def answer(self, line: bytes) -> dict[str, Any]:
        """One request line → one answer."""
        id: Any = None
        try:
            request = parsed(line)
            id = request["id"]
            if request["verb"] not in self._verbs:
                raise Refused("bad_request", "There is no such verb.")
            return {"id": id, "ok": True, "result": self._verbs[request["verb"]](request)}
        except Refused as no:
            return {"id": id, "ok": False, "error": {"kind": no.kind, "code": no.code, "say": no.say}}
        except Exception as bug:
            error = {"kind": "bug", "code": type(bug).__name__, "say": f"hagate failed: {bug}"[:300]}
            return {"id": id, "ok": False, "error": error}

    def show(self, request: dict[str, Any]) -> dict[str, Any]:
        backend, gateway = self._backend(request), named(request["args"], "gateway")
        running = self._held.load()["trials"].get(gateway)
        return {
            "hagate": VERSION,
            "now": time.time(),
            "info": self._api.ask("show info"),
            "states": self._api.ask(f"show servers state {backend}"),
            "stat": self._api.ask(f"show stat {backend} 4 -1"),
            "trial_until": running["until"] if running else 0.0,
        }

    def set(self, request: dict[str, Any]) -> dict[str, Any]:
        backend, args = self._backend(request), request["args"]
        gateway, seconds, changes = named(args, "gateway"), seconds_of(args), checked_changes(args.get("changes"))
        with self._held.claimed(gateway, request["fence"]) as state:
            now = {row[SRV_NAME]: row for row in self._api.rows(backend)}
            if strange := [server for server, _, _ in changes if server not in now]:
                raise Refused("server_unknown", f"The backend {backend} has no server {strange[0]}.")
            running = state["trials"].pop(gateway, None)
            if seconds:
                before = [[name, admin_of(now[name][ADMIN_STATE]), int(now[name][UWEIGHT])] for name, _, _ in changes]
                state["trials"][gateway] = trial(backend, running["back"] if running else before, seconds)
                # Its clock runs before anything is set: whoever dies in between leaves something that ends.
                self._held.store(state)
                self._start_clock(gateway, state["trials"][gateway]["token"], seconds)
            self._api.apply(backend, changes)
            self._held.store(state)
            self._keep_for_restart(state)
        return {"until": time.time() + seconds if seconds else 0.0}

    def forget(self, request: dict[str, Any]) -> dict[str, Any]:
        """Clear the stick table's entries for one server, but those of the addresses to keep."""
        backend, args = self._backend(request), request["args"]
        server, keep = named(args, "server"), {plain_address(str(one)) for one in args.get("keep", [])}
        with self._held.claimed(named(args, "gateway"), request["fence"]):
            ids = [row[SRV_ID] for row in self._api.rows(backend) if row[SRV_NAME] == server]
            if not ids:
                raise Refused("server_unknown", f"The backend {backend} has no server {server}.")
            table = self._api.ask(f"show table {backend} data.server_id eq {ids[0]}")
            keys = [key for key in re.findall(r" key=([0-9A-Fa-f.:]{2,45}) ", table) if plain_address(key) not in keep]
            for key in keys:
                self._api.ask(f"clear table {backend} key {key}")
        return {"forgotten": len(keys)}

    def end_trial(self, gateway: str, token: str, seconds: float) -> None:
        """Wait, then set back what was before, if this trial still is the one. No network and no controller needed."""
        time.sleep(seconds)
        for _ in range(AGAIN_MOST):
            with self._held.locked():
                state = self._held.load()
                running = state["trials"].get(gateway)
                if running is None or running["token"] != token:
                    return
                try:
                    self._api.apply(running["backend"], running["back"])
                    del state["trials"][gateway]
                    self._held.store(state)
                    self._keep_for_restart(state)
                    return
                except Refused:
                    pass
            time.sleep(AGAIN_SECONDS)

    def _backend(self, request: dict[str, Any]) -> str:
        name = named(request["args"], "backend")
        if name not in self._backends:
            raise Refused("backend_unknown", f"The backend {name} is not among those that this key may ask about.")
        return name

    def _start_clock(self, gateway: str, token: str, seconds: int) -> None:
        """A process of its own: it lives on when this SSH connection does not."""
        own = self._options
        words = ["--backends", own.backends, "--socket", own.socket, "--state", own.state]
        end = [sys.executable, "-I", sys.argv[0], "end", *words, gateway, token, str(seconds)]
        null = subprocess.DEVNULL
        subprocess.Popen(end, stdin=null, stdout=null, stderr=null, start_new_session=True, cwd="/")

    def _keep_for_restart(self, state: dict[str, Any]) -> None:
        """What HAProxy is to begin with after a restart: what is set now, but nothing that is on trial."""
        back = {(one["backend"], server): rest for one in state["trials"].values() for server, *rest in one["back"]}
        kept = ["1", "# " + " ".join(self._api.header())]
        for row in self._api.rows():
            if before := back.get((row[BE_NAME], row[SRV_NAME])):
                row[ADMIN_STATE], row[UWEIGHT] = BITS[before[0]], str(before[1])
            kept.append(" ".join(row.values()))
        self._held.begin_with("\n".join(kept) + "\n")


def serve(hagate: Hagate) -> None:
    while line := sys.stdin.buffer.readline(REQUEST_MOST + 1):
        sys.stdout.write(json.dumps(hagate.answer(line)) + "\n")
        sys.stdout.flush()
        if len(line) > REQUEST_MOST or not line.endswith(b"\n"):
            return


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="hagate")
    doors = parser.add_subparsers(dest="door", required=True)
    for door in ("serve", "end"):
        words = doors.add_parser(door)
        words.add_argument("--backends", required=True, help="names of backends, with commas")
        words.add_argument("--socket", default="/run/haproxy/admin.sock")
        words.add_argument("--state", default="/var/lib/hagate")
        for name in ("gateway", "token", "seconds") if door == "end" else ():
            words.add_argument(name)
    options = parser.parse_args(argv)
    if options.door == "serve":
        serve(Hagate(options))
    else:
        Hagate(options).end_trial(options.gateway, options.token, float(options.seconds))
    return 0
