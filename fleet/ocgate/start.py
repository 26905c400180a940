"""`start`: a release into a free slot, supervised, and wait until it answers."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from . import confs, counter, derive, journal, locks, nft, slots, supervise, table
from . import state as states
from .call import Call, Result
from .config import Config
from .errors import Refused, Retry
from .knock import Door, connected
from .paths import Paths
from .run import run

READY_SECONDS = 20.0
HANDSHAKE_SECONDS = 5.0


def start(call: Call) -> Result:
    """Start `release` in `slot`; the same release already there and ready is no work."""
    release, number = call.args["release"], call.args["slot"]
    call.config.slot(number)
    with locks.held(call.paths.run, f"slot-{number}", wait=2.0):
        states.admit(call.paths, call.fence)
        refuse_changed_conf(call.config, call.paths, over=call.args.get("over", ""))
        counter.refuse_lower_here(call.paths, release)
        conf = call.args.get("conf", "")
        already, ready_ms = launch(call.config, call.paths, release=release, number=number, conf=conf)
    now = slots.look(number, states.load(call.paths), call.paths)
    return {
        "slot": number,
        "release": release,
        "version": slots.version_of(release, states.load(call.paths), call.paths),
        "pid": now.process.pid,
        "ready_ms": round(ready_ms, 1),
        "already": already,
    }


def launch(config: Config, paths: Paths, *, release: str, number: int, conf: str = "") -> "tuple[bool, float]":
    """Put `release` into the slot and wait until ready: (was it there already, ms to ready). Caller holds the slot.

    `conf`: SHA-256 of the configuration to derive the slot's from; "" is the agreed one.
    """
    state = states.load(paths)
    slot = slots.look(number, state, paths)
    began = time.monotonic()
    if (slot.running or slot.process.returning) and slot.release != release:
        raise Refused("slot_busy", f"Slot {number} runs {slot.release}; retire it before {release} can start there.")
    fresh = not slot.running and not slot.process.returning
    if not fresh and (confs.of_slot(state, number) != conf if conf else confs.brought_by(state, number)):
        raise Refused("slot_busy", f"Slot {number} runs {release} with another configuration; retire it first.")
    if fresh:
        if not (paths.release(release) / "sbin" / "ocserv").is_file():
            raise Refused("unknown_release", f"Release {release} is not on this gateway; stage it first.")
        prepare(config, paths, release=release, number=number, conf=conf)
        supervise.start(paths, number)
    _await_ready(config, paths, number=number, fresh=fresh)
    return slot.running, (time.monotonic() - began) * 1000


def refuse_unfit(config: Config, paths: Paths, *, release: str, number: int, conf: str = "") -> None:
    """Refuse what could be known not to start there: no such release, or a configuration that it does not read."""
    ocserv = paths.release(release) / "sbin" / "ocserv"
    if not ocserv.is_file():
        raise Refused("unknown_release", f"Release {release} is not on this gateway; stage it first.")
    text = derive.derive(confs.usable(config, paths, conf), place_of(config, paths, number))
    refuse_unreadable(ocserv, text, say=f"{release} refuses the configuration")


def refuse_unreadable(ocserv: Path, text: str, *, say: str) -> None:
    """Raise `conf_refused` where `ocserv -t` does."""
    with tempfile.TemporaryDirectory(prefix="ocgate-test-") as scratch:
        path = Path(scratch, "ocserv.conf")
        path.write_text(text)
        done = run([str(ocserv), "-t", "-c", str(path)], timeout=15)
    if done.code != 0:
        raise Refused("conf_refused", f"{say}: {done.last_line[:300]}.")


def prepare(config: Config, paths: Paths, *, release: str, number: int, conf: str = "") -> None:
    """Write the slot's configuration and what the unit will read."""
    place = replace(place_of(config, paths, number), message="")  # who signs in from now on has nothing to be told
    text = derive.derive(confs.usable(config, paths, conf), place)
    if config.steers:
        slots.ensure_addresses(config)
    # /run is empty after a reboot; ocserv makes its sockets here.
    paths.slot_run(number).mkdir(parents=True, exist_ok=True)
    states.write_spared(paths, paths.slot_conf(number), text, mode=0o640)
    log = paths.slot_log(number)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    paths.slot_tally(number).unlink(missing_ok=True)
    with states.changing(paths) as state:
        _end_adoption(config, state, number)
        own = conf or state.agreed_sha256
        state.slots[number] = states.SlotState(
            release=release, since=time.time(), conf=own, brings=own != state.agreed_sha256
        )
        state.loaded.pop(number, None)
        state.messages.pop(number, None)
        if release not in state.ran:
            state.ran.append(release)


def _end_adoption(config: Config, state: states.State, number: int) -> None:
    """An adopted ocserv that has ended leaves its slot to ordinary releases; going back to it is over."""
    if state.adopted is None or state.adopted.slot != number:
        return
    state.adopted = None
    if state.previous is not None and state.previous.release == "adopted":
        state.previous = None
    if table.is_present():
        table.apply(nft.place(config, number, adopted=False))


def place_of(config: Config, paths: Paths, number: int) -> derive.Place:
    """What is slot `number`'s own."""
    message = states.load(paths).messages.get(number, "")
    own, front = config.slot(number), not config.steers
    place = derive.Place(own, paths.slot_run(number), config.port, config.inner_port)
    return replace(place, front=front, message=message, proxied=config.proxied)


def where(config: Config, paths: Paths, number: int) -> Door:
    """Where the slot's ocserv is asked from this machine."""
    if config.steers:
        return Door(config.slot(number).ipv4, config.inner_port, config.proxied)
    return Door(*derive.knock(paths.slot_conf(number).read_text()), config.proxied)


def conf_sha256(path: Path) -> str:
    """SHA-256 of a file, "" when it can't be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def refuse_changed_conf(config: Config, paths: Paths, *, over: str = "") -> None:
    """An edit on the host is drift: nothing new starts beside it until a person has agreed, or lets exactly it stand.

    `over`: SHA-256 of the edited file that may stand. Slots are derived from the agreed one all the same.
    """
    agreed = states.load(paths).agreed_sha256
    if agreed and conf_sha256(config.ocserv_conf) not in (agreed, over):
        say = (
            f"{config.ocserv_conf} was changed on the host since it was agreed. Nothing was started, nobody was moved."
        )
        raise Refused("conf_changed", f"{say} Undo the edit or have it approved.")


def _await_ready(config: Config, paths: Paths, *, number: int, fresh: bool) -> None:
    """Wait until occtl answers and TLS shakes hands. Only a slot that was just started (`fresh`) may be stopped."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        slot = slots.look(number, states.load(paths), paths)
        if fresh and (slot.process.failed or slot.process.restarts > 0):
            supervise.stop(paths, number)
            raise Refused(
                "start_failed", f"{slot.release} ended at once in slot {number}: {last_log_line(paths, number)}."
            )
        if slot.running and slots.control_of(slot).status() and shakes_hands(where(config, paths, number)):
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if not fresh:
        raise Retry("not_ready", f"{slot.release} runs in slot {number} but does not answer; nothing was changed.")
    supervise.stop(paths, number)
    say = f"{slot.release} was not ready in slot {number} after {READY_SECONDS:g} s and was stopped"
    raise Refused("not_ready", f"{say}: {last_log_line(paths, number)}.")


def shakes_hands(door: Door) -> bool:
    """True when a TLS handshake with the slot's own address succeeds."""
    try:
        plain = connected(door, seconds=HANDSHAKE_SECONDS)
        with plain, unverified().wrap_socket(plain, server_hostname="localhost"):
            return True
    except OSError:
        return False


def unverified() -> ssl.SSLContext:
    """TLS to our own machine's slot: the name on the certificate is the public one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def last_log_line(paths: Paths, number: int) -> str:
    """The last thing that the slot's ocserv said."""
    lines = [line.strip() for line in journal.tail(paths.slot_log(number)).splitlines() if line.strip()]
    return lines[-1][:400].rstrip(".") if lines else "it left no message"
