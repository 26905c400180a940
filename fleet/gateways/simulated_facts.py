"""What a simulated gateway says when it is asked for `facts`, as the JSON of docs/ocgate-protocol.md. Pure."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import asdict
from typing import Any

from fleet.gateways.holdings import CONF_PATH, sha256_of
from fleet.gateways.machine import Machine, Slot
from fleet.ports import Archive

DISK = 40_000_000_000  # bytes
DISK_NEEDED = 200_000_000  # a bundle, packed and unpacked
NO_NFT = "nft does not run here"


def raw_facts(machine: Machine, now: float) -> dict[str, Any]:
    """The answer; `simulation` holds what another process needs to go on from here."""
    steering = machine.steering
    their_now = now + machine.faults.clock_offset
    until = steering.until + machine.faults.clock_offset
    weights = machine.weights()
    return {
        "ocgate": "simulated",
        "protocol": 3,
        "hostname": machine.name,
        "now": their_now,
        "boot_id": f"{machine.name}-{machine.boots}",
        "uptime": now - machine.booted_at,
        "fence": machine.fence,
        "committed": asdict(steering.committed) if steering.committed else None,
        "previous": asdict(steering.previous) if steering.previous else None,
        "trial": {"weights": _keys(steering.trial), "until": until} if steering.trial else None,
        "weights": _keys(weights),
        "slots": [_slot(machine, slot, weights.get(slot.number, 0)) for slot in machine.slots.values()],
        "releases": [
            {"release": release, "digest": digest, "version": version}
            for release, (digest, version) in sorted(machine.releases.items())
        ],
        "disk": {"free": disk_free(machine), "total": DISK},
        "conf": {
            "path": CONF_PATH,
            "sha256": sha256_of(machine.holdings.conf),
            "agreed_sha256": sha256_of(machine.holdings.agreed),
            "changed": conf_changed(machine),
        },
        "counter": machine.holdings.counter,
        "ocgate_sha256": machine.holdings.ocgate_sha256,
        "trust_serial": machine.holdings.pins.serial,
        "keep": {"running": True, "events": []},
        "steers": not machine.faults.no_nft,
        "steers_why": NO_NFT if machine.faults.no_nft else "",
        "simulation": machine.dump(),
    }


def conf_changed(machine: Machine) -> bool:
    """Was ocserv.conf edited on the host since it was agreed?"""
    return machine.faults.conf_changed or machine.holdings.conf != machine.holdings.agreed


def disk_free(machine: Machine) -> int:
    """Bytes."""
    return 1_000_000 if machine.faults.disk_full else DISK - DISK_NEEDED * len(machine.releases)


def snapshot(machine: Machine, now: float) -> Archive:
    """An archive with the facts in it: there are no logs to keep."""
    facts = {name: value for name, value in raw_facts(machine, now).items() if name != "simulation"}
    text = json.dumps(facts, indent=1).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        member = tarfile.TarInfo("facts.json")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return Archive(out.getvalue(), hashlib.sha256(out.getvalue()).hexdigest(), ("facts.json",))


def _slot(machine: Machine, slot: Slot, weight: int) -> dict[str, Any]:
    return {
        "slot": slot.number,
        "state": _state(slot, weight),
        "release": slot.release,
        "version": slot.version,
        "pid": slot.pid if slot.running else 0,
        "sessions": len(machine.on_slot(slot.number)),
        "weight": weight,
        "since": slot.since,
        "restarts": slot.restarts,
        "conf": (slot.conf or sha256_of(machine.holdings.agreed)) if slot.running else "",
        "conf_until": slot.until + machine.faults.clock_offset if slot.until else None,
    }


def _state(slot: Slot, weight: int) -> str:
    if slot.failed:
        return "failed"
    if not slot.running:
        return "idle"
    return "draining" if slot.steered and not weight else "serving"


def _keys(weights: dict[int, int]) -> dict[str, int]:
    return {str(slot): weight for slot, weight in weights.items()}
