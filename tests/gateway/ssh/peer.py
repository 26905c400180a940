"""The other side of docs/ocgate-protocol.md for the tests: a simulated gateway behind a socket, honest or not."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import asdict
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from fleet.errors import GiveUp, RetryLater
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.simulated_facts import raw_facts
from fleet.gateways.simulated_trust import raw_inventory
from fleet.ports import Program, ReleaseFiles, Replacement, Statement

Json = dict[str, Any]
Trick = Callable[["Channel", Json], bool]
"""Called before each answer; True when the trick has dealt with the request."""

PLAIN = {"check", "start", "probe", "shift", "drain", "retire", "restore"}


class Peer:
    """Serves one simulated gateway on `folder/peer.sock`. Set `trick` to misbehave; `requests` says what was asked."""

    def __init__(self, folder: Path, gateway: MemoryGateway) -> None:
        self.folder = folder
        self.gateway = gateway
        self.trick: Trick | None = None
        self.requests: list[Json] = []
        self.channels = 0  # ever
        self.open = 0  # now
        self.connections: list[socket.socket] = []
        peer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                peer.channels += 1
                peer.open += 1
                peer.connections.append(self.connection)
                try:
                    Channel(peer, self.rfile, self.wfile).serve()
                finally:
                    peer.open -= 1

        folder.joinpath("peer.sock").unlink(missing_ok=True)
        self._server = socketserver.ThreadingUnixStreamServer(str(folder / "peer.sock"), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def partial(self, release: str) -> Path:
        """What has come of a bundle so far."""
        return self.folder / f"{release}.incoming"

    def hang_up(self) -> None:
        """End every channel that is open, as an `ocgate` that was killed would."""
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Channel:
    """One connection of the bridge."""

    def __init__(self, peer: Peer, source: BufferedIOBase, sink: BufferedIOBase) -> None:
        self.peer, self.source, self.sink = peer, source, sink

    def serve(self) -> None:
        """Answer line by line until the channel ends."""
        try:
            for line in self.source:
                request = json.loads(line)
                self.peer.requests.append(request)
                if not (self.peer.trick and self.peer.trick(self, request)):
                    self.answer(request)
        except OSError:
            return  # the test cut the connection, or closed it with its answer under way

    def answer(self, request: Json) -> None:
        try:
            self.say({"id": request["id"], "ok": True, "result": self.do(request)})
        except GiveUp as no:
            self.no(request, kind="refused", code=no.code, say=no.say)
        except RetryLater as later:
            self.no(request, kind="retry", code=later.code, say=later.say)

    def no(self, request: Json, *, kind: str, code: str, say: str) -> None:
        self.say({"id": request["id"], "ok": False, "error": {"kind": kind, "code": code, "say": say}})

    def say(self, message: Json) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        self.sink.write(data)
        self.sink.flush()

    def do(self, request: Json) -> Json:
        """What MemoryGateway answers, as the protocol's JSON."""
        gateway, verb, args = self.peer.gateway, request["verb"], dict(request["args"])
        if "fence" in request:
            args["fence"] = request["fence"]
        if "weights" in args:
            args["weights"] = {int(slot): weight for slot, weight in args["weights"].items()}
        if verb in PLAIN:
            return shown(asdict(getattr(gateway, verb)(**args)))
        answer: Json = getattr(self, f"_{verb}")(request, args)
        return answer

    def _facts(self, request: Json, args: Json) -> Json:
        self.peer.gateway.facts()  # moves the clock on, and refuses while unreachable
        return raw_facts(self.peer.gateway.machine, self.peer.gateway.world.clock())

    def _commit(self, request: Json, args: Json) -> Json:
        already = self.peer.gateway.commit(args["slot"], fence=args["fence"])
        return {"slot": args["slot"], "release": "", "already": already}

    def _replace(self, request: Json, args: Json) -> Json:
        fence = args.pop("fence")
        return shown(asdict(self.peer.gateway.replace(Replacement(**args), fence=fence)))

    def _message(self, request: Json, args: Json) -> Json:
        return {"slot": args["slot"], "already": self.peer.gateway.message(**args)}

    def _sessions(self, request: Json, args: Json) -> Json:
        return {"at": 0.0, "sessions": [asdict(session) for session in self.peer.gateway.sessions()]}

    def _departures(self, request: Json, args: Json) -> Json:
        gone = self.peer.gateway.signed_out()
        return {"departures": [{"session": short, "by_user": True} for short in sorted(gone)]}

    def _metrics(self, request: Json, args: Json) -> Json:
        return {"at": 0.0, "slots": [asdict(slot) for slot in self.peer.gateway.metrics()]}

    def _watch(self, request: Json, args: Json) -> Json:
        for _ in range(args["seconds"]):
            self.say({"id": request["id"], "progress": "metrics", "metrics": self._metrics(request, args)})
        return {"samples": args["seconds"]}

    def _snapshot(self, request: Json, args: Json) -> Json:
        archive = self.peer.gateway.snapshot()
        text = base64.b64encode(archive.data).decode()
        return {"archive": text, "sha256": archive.sha256, "files": list(archive.files)}

    def _configure(self, request: Json, args: Json) -> Json:
        said = Statement(args["statement"], pairs(args)) if "statement" in args else None
        return asdict(self.peer.gateway.configure(args["conf"], statement=said, fence=args["fence"]))

    def _agree(self, request: Json, args: Json) -> Json:
        return {"agreed_sha256": args["conf"], "already": self.peer.gateway.agree(args["conf"], fence=args["fence"])}

    def _reload(self, request: Json, args: Json) -> Json:
        already = self.peer.gateway.reload(
            args["slot"], args["conf"], seconds=args.get("seconds", 0), fence=args["fence"]
        )
        return {"slot": args["slot"], "conf": args["conf"], "already": already}

    def _inventory(self, request: Json, args: Json) -> Json:
        self.peer.gateway.inventory()
        return raw_inventory(self.peer.gateway.machine, self.peer.gateway.world.clock())

    def _trust(self, request: Json, args: Json) -> Json:
        return asdict(self.peer.gateway.trust(args["statement"], pairs(args), fence=args["fence"]))

    def _crl(self, request: Json, args: Json) -> Json:
        return asdict(self.peer.gateway.crl(args["crl"], fence=args["fence"]))

    def _authorize(self, request: Json, args: Json) -> Json:
        statement = Statement(args["statement"], pairs(args))
        return asdict(self.peer.gateway.authorize(args["keys"], statement=statement, fence=args["fence"]))

    def _upgrade_self(self, request: Json, args: Json) -> Json:
        new = self.peer.partial(args["sha256"])
        self._receive(request, new, args["size"])
        program = Program(new, args["size"], args["sha256"])
        statement = Statement(args["statement"], pairs(args))
        return asdict(self.peer.gateway.upgrade_self(program, statement=statement, fence=args["fence"]))

    def _stage(self, request: Json, args: Json) -> Json:
        release, size = args["release"], args["size"]
        digest = hashlib.sha256(args["manifest"].encode()).hexdigest()
        bundle = self.peer.partial(release)
        said = tuple(Statement(one["text"], pairs(one)) for one in args.get("statements", []))
        files = ReleaseFiles(release, digest, args["manifest"], "", "", (), bundle, size, args["sha256"], said)
        here = {row["release"] for row in raw_facts(self.peer.gateway.machine, 0.0)["releases"]}
        if release not in here and not self.peer.gateway.faults.disk_full:
            self._receive(request, bundle, size)
        return asdict(self.peer.gateway.stage(files, fence=args["fence"], progress=lambda *_: None))

    def _receive(self, request: Json, bundle: Path, size: int) -> None:
        offset = bundle.stat().st_size if bundle.exists() else 0
        self.say({"id": request["id"], "progress": "send", "done": offset, "total": size})
        with bundle.open("ab") as out:
            while offset < size:
                data = self.source.read1(min(65536, size - offset))
                if not data:
                    raise RetryLater("The bundle was cut short.", code="bundle_cut_short")
                out.write(data)
                out.flush()
                offset += len(data)
        if hashlib.sha256(bundle.read_bytes()).hexdigest() != request["args"]["sha256"]:
            raise GiveUp("The bundle's SHA-256 is another.", code="bundle_hash")


def pairs(args: Json) -> tuple[tuple[str, str], ...]:
    """Signatures as the port has them."""
    return tuple((row["name"], row["text"]) for row in args["signatures"])


def shown(value: Json) -> Json:
    """Tuples of (id, user) and numbers as keys, as the protocol writes them."""
    if "cut" in value:
        value["cut"] = [{"id": id, "user": user} for id, user in value["cut"]]
    if "weights" in value:
        value["weights"] = {str(slot): weight for slot, weight in value["weights"].items()}
    return value
