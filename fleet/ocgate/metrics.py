"""`metrics` and `watch`: what each slot that runs has counted since its start, and how it feels now.

occtl's own counters of failed sign-ins lag by up to 310 s and others are reset each week (reference, "Semantics"), so
what is counted comes from the slot's log and from the sets of sessions that two looks have seen. The counts are kept in
/run between two looks: whoever looks adds to the same ones, and a new `ocgate serve` goes on where the last one was.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, Dict, FrozenSet, Iterator, List, Optional

from . import channels, locks, occtl, slots
from . import state as states
from .call import Call, Result
from .config import Config, own_addresses
from .errors import Answered
from .paths import Paths
from .processes import usage
from .seen import Seen
from .start import shakes_hands, where

LOG_MAX = 32 * 1024 * 1024
HANDSHAKE_EVERY = 30.0  # a handshake of our own takes a worker on the gateway and a line in no log
CLIENTS_MOST = 12


def clock() -> float:
    """Seconds since this machine booted, as /run: a clock that is set must not make anybody late."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def metrics(call: Call) -> Result:
    """One sample. `probes` are told once and kept: who asks without them counts no probe as a user either."""
    told = call.args.get("probes")
    if told is not None and frozenset(told) != probe_hosts(call.paths):
        states.write_object(call.paths.probes, {"addresses": told})
    return _sample(call)


def probe_hosts(paths: Paths) -> FrozenSet[str]:
    """Where probes from outside come from: what they do is no traffic."""
    return frozenset(map(str, states.read_object(paths.probes).get("addresses", [])))


def watch(call: Call) -> Result:
    """A sample each `every` seconds for `seconds`, as progress lines."""
    deadline = time.monotonic() + call.args["seconds"]
    samples = 0
    while True:
        call.send({"progress": "metrics", "metrics": _sample(call)})
        samples += 1
        left = deadline - time.monotonic()
        if left <= call.args["every"]:
            return {"samples": samples}
        time.sleep(call.args["every"])


@contextmanager
def kept(paths: Paths, number: int) -> Iterator[Seen]:
    """What was seen of a slot so far; written down again at the end. One at a time: two would count twice."""
    with locks.held(paths.run, f"tally-{number}", wait=3.0):
        seen = Seen.load(states.read_object(paths.slot_tally(number)))
        yield seen
        states.write_object(paths.slot_tally(number), seen.dump())


def rotate(paths: Paths, number: int, *, ours: FrozenSet[str]) -> bool:
    """Empty a slot's log that has grown over LOG_MAX, its counts kept; its ocserv holds it open and goes on in it."""
    log = paths.slot_log(number)
    if not log.exists() or log.stat().st_size <= LOG_MAX:
        return False
    with kept(paths, number) as seen:
        seen.log.read(log, ours=ours | probe_hosts(paths), now=clock())
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)
        seen.log.offset = 0
    return True


def _sample(call: Call) -> Result:
    state = states.load(call.paths)
    running = [slot for slot in slots.every(call.config, state, call.paths) if slot.running]
    ports = {call.config.port if slot.adopted or not call.config.steers else call.config.inner_port for slot in running}
    found = {port: channels.look(port) for port in ports}
    every = [one for some in found.values() for one in some or []]
    told = []
    for slot in running:
        # Left out while its ocserv does not answer: no evidence is not the same as nobody.
        with suppress(Answered):
            version = slots.version_of(slot.release, state, call.paths)
            told.append({**_slot(call, slot, None if None in found.values() else every), "version": version})
    return {"at": time.time(), "slots": told}


def _slot(call: Call, slot: slots.Slot, every: Optional[List[channels.Channel]]) -> Dict[str, Any]:
    control, own, probes = slots.control_of(slot), own_addresses(call.config), probe_hosts(call.paths)
    ours = own | probes
    users = [user for user in control.users() if user.remote not in probes]
    status = control.status() or {}
    banned = control.bans(int(status.get("IPs in ban list") or 0))
    mine = None if every is None else channels.users(every, at=_addresses(call.config, slot), ours=ours)
    now, log = clock(), call.paths.slot_log(slot.number)
    with kept(call.paths, slot.number) as seen:
        seen.log.read(log, ours=ours, now=now)
        seen.look([user for user in users if user.remote not in ours], mine or [])
        if not seen.shook_at or now - seen.shook_at >= HANDSHAKE_EVERY:
            seen.shook_at, seen.handshake_ms = now, _handshake_ms(call, slot)
        counts = seen.counts()
    median, worst = channels.rtt(mine or [])
    return {
        "slot": slot.number,
        "release": slot.release,
        **_of_users(users),
        **counts,
        # An adopted ocserv logs elsewhere: zero failures would be no evidence there.
        "logged": log.exists() and not slot.adopted,
        "late_failures": int(status.get("Total authentication failures") or 0),
        "auth_seconds": float(status.get("raw_avg_auth_time") or 0.0),
        "banned": len(banned),
        "banned_ours": len(banned & as_banned(own)),
        "banned_probes": len(banned & as_banned(probes)),
        "rtt_ms": median,
        "rtt_p95_ms": worst,
        **asdict(usage(slot.process.pid)),
        "restarts": slot.process.restarts,
        "up_since": float(status.get("raw_up_since") or slot.process.since),
    }


def as_banned(addresses: FrozenSet[str]) -> FrozenSet[str]:
    """As ocserv's list of bans has them: of an IPv6 address it bans, and shows, the /64 (seen on 1.1.6)."""
    found = [ipaddress.ip_interface(f"{one}/64" if ":" in one else one) for one in addresses]
    return frozenset(str(one.network.network_address if one.version == 6 else one.ip) for one in found)


def _of_users(users: List[occtl.Session]) -> Dict[str, Any]:
    return {
        "sessions": len(users),
        "dtls": sum(user.dtls for user in users),
        "clients": dict(Counter(user.agent[:80] or "unknown" for user in users).most_common(CLIENTS_MOST)),
        "rx_bytes": sum(user.rx for user in users),
        "tx_bytes": sum(user.tx for user in users),
    }


def _addresses(config: Config, slot: slots.Slot) -> FrozenSet[str]:
    """Where the slot listens; empty where it has the machine's port to itself."""
    if slot.adopted or not config.steers:
        return frozenset()
    own = config.slot(slot.number)
    return frozenset(filter(None, (own.ipv4, own.ipv6)))


def _handshake_ms(call: Call, slot: slots.Slot) -> Optional[float]:
    """How long TCP and TLS took with the slot's own door; None when it did not answer."""
    if slot.adopted:
        return None
    began = time.monotonic()
    shook = shakes_hands(where(call.config, call.paths, slot.number))
    return round((time.monotonic() - began) * 1000, 1) if shook else None


def connected(slot: slots.Slot) -> Optional[int]:
    """Users on the slot; None when its ocserv does not answer, which is not the same as nobody."""
    try:
        return len(slots.control_of(slot).users())
    except Answered:
        return None
