"""The JSON lines of docs/ocgate-protocol.md in front of a simulated gateway: what an answer looks like on the wire."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fleet.errors import GiveUp, RetryLater
from fleet.gateways.simulated import MemoryGateway
from fleet.ports import ReleaseFiles

Json = dict[str, Any]
Args = Mapping[str, Any]


def answer(gateway: MemoryGateway, request: Mapping[str, Any]) -> Json:
    """The line that answers a request. `stage` is asked when the bundle's bytes are here."""
    id, verb = request.get("id"), str(request.get("verb"))
    if verb not in VERBS:
        return no(id, "refused", "bad_request", f"There is no verb {verb}.")
    try:
        return {"id": id, "ok": True, "result": VERBS[verb](gateway, request.get("args", {}), request.get("fence", 0))}
    except RetryLater as later:
        return no(id, "retry", later.code, later.say)
    except GiveUp as refusal:
        return no(id, "refused", refusal.code, refusal.say)


def no(id: object, kind: str, code: str, say: str) -> Json:
    return {"id": id, "ok": False, "error": {"kind": kind, "code": code, "say": say}}


def facts(gateway: MemoryGateway, _args: Args, _fence: int) -> Json:
    return {name: value for name, value in gateway.facts().raw.items() if name != "simulation"}


def stage(gateway: MemoryGateway, args: Args, fence: int) -> Json:
    files = ReleaseFiles(
        **{name: args[name] for name in ("release", "manifest", "sums", "changelog", "sha256")},
        size=int(args["size"]),
        digest=hashlib.sha256(args["manifest"].encode()).hexdigest(),
        signatures=tuple((row["name"], row["text"]) for row in args["signatures"]),
        bundle=Path("/nowhere"),  # its bytes came over the channel and were counted there
    )
    return asdict(gateway.stage(files, fence=fence, progress=lambda *_: None))


def shift(gateway: MemoryGateway, args: Args, fence: int) -> Json:
    weights = {int(slot): int(share) for slot, share in args["weights"].items()}
    return asdict(gateway.shift(weights, seconds=int(args["seconds"]), fence=fence)) | {"ms": 1}


def commit(gateway: MemoryGateway, args: Args, fence: int) -> Json:
    return {"slot": args["slot"], "already": gateway.commit(args["slot"], fence=fence)}


def sessions(gateway: MemoryGateway, _args: Args, _fence: int) -> Json:
    return {"at": 0.0, "sessions": [asdict(session) for session in gateway.sessions()]}


def departures(gateway: MemoryGateway, _args: Args, _fence: int) -> Json:
    return {"departures": [{"session": id, "by_user": True} for id in sorted(gateway.signed_out())]}


def retire(gateway: MemoryGateway, args: Args, fence: int) -> Json:
    retired = gateway.retire(args["slot"], cut_at_most=args["cut_at_most"], fence=fence)
    return asdict(retired) | {"cut": [{"id": id, "user": user} for id, user in retired.cut]}


def snapshot(gateway: MemoryGateway, _args: Args, _fence: int) -> Json:
    archive = gateway.snapshot()
    return {"archive": base64.b64encode(archive.data).decode(), "sha256": archive.sha256, "files": archive.files}


VERBS: dict[str, Callable[[MemoryGateway, Args, int], Json]] = {
    "facts": facts,
    "stage": stage,
    "check": lambda gateway, args, _: asdict(gateway.check(**args)),
    "start": lambda gateway, args, fence: asdict(gateway.start(**args, fence=fence)),
    "probe": lambda gateway, args, _: asdict(gateway.probe(**args)),
    "shift": shift,
    "commit": commit,
    "drain": lambda gateway, args, _: asdict(gateway.drain(**args)),
    "sessions": sessions,
    "departures": departures,
    "retire": retire,
    "restore": lambda gateway, args, fence: asdict(gateway.restore(**args, fence=fence)),
    "snapshot": snapshot,
    "inventory": lambda gateway, _args, _fence: dict(gateway.inventory().raw),
    "metrics": lambda gateway, _args, _fence: {"at": 0.0, "slots": [asdict(row) for row in gateway.metrics()]},
}
