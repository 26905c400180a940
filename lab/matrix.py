"""The lab as a test bench of the matrix: `bench` builds it, with both releases running side by side on one gateway."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleet.errors import GiveUp, RetryLater
from fleet.gateways.dial import Target, private_key
from fleet.gateways.kept import Keeper, Loan
from fleet.gateways.ssh import SshGateway
from fleet.ports import ReleaseFiles
from lab.commands import LabError, wait_until
from lab.fleet import CACHE
from lab.gateway import Gateway
from lab.matrix_behind import Behind, Listener, inside
from lab.matrix_client import Dialled, Tunnel, Wiring, account_at
from lab.matrix_pester import pester
from lab.matrix_staging import Outset, Staging, client_certificate, expected
from lab.openconnects import Program, programs
from lab.requirements import missing
from lab.spaces import Corner
from releases.matrix import ports
from releases.matrix.ports import BenchFailed, Pair, Side, SignIn, Unfit, Usage, Wire

SLOTS: dict[Side, int] = {"old": 1, "new": 2}
TRIAL_SECONDS = 1800
LOG_MOST = 16 * 1024
Say = Callable[[str], None]


@contextlib.contextmanager
def bench(pair: Pair, *, part: str, users: int, say: Say) -> Iterator[LabBench]:
    """Build the lab's staging gateway for a part of the matrix; everything is gone at the end."""
    if reason := missing():
        raise BenchFailed(reason)
    pair = replace(pair, new=_openpgp_only(pair.new), old=_openpgp_only(pair.old))
    try:
        found = programs(CACHE, say)
        with (
            Staging(Outset(pair, users, bans=part == "functional"), say=say) as staging,
            Behind(staging.clients.networks.lan),
            contextlib.closing(LabBench(staging, pair)) as made,
        ):
            made.set_up(found, say)
            yield made
    except (LabError, GiveUp, RetryLater) as failure:
        raise BenchFailed(str(failure)) from failure


class LabBench:
    """One gateway with the old release in slot 1 and the new one in slot 2; each side's clients keep to their slot."""

    place = "lab"

    def __init__(self, staging: Staging, pair: Pair) -> None:
        self._staging, self._pair = staging, pair
        self._gateway: Gateway = staging.gateways[0]
        self._keeper = Keeper()
        self._port = _open(self._gateway, staging, self._keeper)
        self._corners: dict[tuple[str, int], Corner] = {}
        self.expected = expected(self._gateway.at.index)
        self.programs: tuple[str, ...] = ()
        self.upgrade: Mapping[str, Any] = {}

    def set_up(self, found: Sequence[Program], say: Say) -> None:
        """Bring the new release beside the old one with ocgate, and seat the clients on their sides."""
        self.programs = tuple(program.version for program in found)
        self._wire_up({program.version: program.path for program in found})
        say(f"staging {self._pair.new.release} beside {self._pair.old.release}")
        fence = self._port.facts().fence + 1
        self.upgrade = self._bring_up(fence)
        for side, slot in SLOTS.items():
            self._port.shift({slot: 100}, seconds=TRIAL_SECONDS, fence=fence)
            self._seat(side, len(self._staging.names[side]))
        self._corners["stranger", 0] = self._staging.stranger()

    def _bring_up(self, fence: int) -> Mapping[str, Any]:
        """Stage, check and start the new release; Unfit where ocgate says no to it."""
        try:
            self._port.stage(self._pair.new, fence=fence, progress=lambda *_: None)
            checked = self._port.check(self._pair.new.release, SLOTS["new"])
            findings = [f"{finding.level}: {finding.say}" for finding in checked.findings]
            if not checked.ok:
                raise Unfit(f"ocgate's check refuses {self._pair.new.release}.", "\n".join(findings))
            started = self._port.start(self._pair.new.release, SLOTS["new"], fence=fence)
        except GiveUp as no:
            raise Unfit(str(no), self.log("new")) from no
        return {"findings": findings, "ready_ms": started.ready_ms}

    def _wire_up(self, found: dict[str, str]) -> None:
        folder = self._staging.place.folder / "matrix"
        folder.mkdir()
        staging, at = self._staging, self._gateway.at
        vouchers = {"own": staging.clients_ca, "foreign": staging.foreign_ca}
        self._wiring = Wiring(
            folder=folder,
            ca=staging.authority.certificate,
            programs=found,
            certificates={
                name: client_certificate(authority, folder / name, "new1") for name, authority in vouchers.items()
            },
            public={4: at.public4, 6: at.public6},
            index=at.index,
        )

    def _seat(self, side: str, count: int) -> None:
        """Let each client touch the gateway once: the kernel learns its side and keeps it there."""
        for number in range(count):
            corner = self._corners[side, number] = self._staging.seat(side, number)
            for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                with inside(corner.space):
                    opened = socket.socket(kind, socket.SOCK_STREAM)
                with opened:
                    opened.settimeout(5)
                    wait_until(_connects(opened, self._wiring.public[family]), seconds=10, what="A first connection")

    @property
    def versions(self) -> Mapping[str, str]:
        """What took part."""
        machine = f"{os.cpu_count()} × {_processor()}"
        clients = {"openconnect": " and ".join(self.programs)}
        return {**clients, "kernel": platform.release(), "machine": machine, "ocgate": self._port.facts().ocgate}

    def sign_in(self, wish: SignIn) -> Tunnel:
        corner = self._corners["stranger", 0] if wish.stranger else self._corners[wish.side, wish.seat]
        user = "stranger" if wish.stranger else self._staging.names[wish.side][wish.seat]
        if wish.way == "certificate":
            user = "new1"  # the certificate's own name
        password = "not the password" if wish.way == "wrong password" else self._staging.password(user)
        account = account_at(self._wiring, user, password, wish.family)
        return Tunnel(Dialled(corner, account, wish, self._wiring), wish, self._wiring, session=self._session)

    def _session(self, user: str) -> str:
        return next((session.id for session in self._port.sessions() if session.user == user), "")

    @contextlib.contextmanager
    def wire(self, tunnel: ports.Tunnel, pattern: bytes) -> Iterator[list[Wire]]:
        networks, found = self._staging.clients.networks, list[Wire]()
        outside = Listener(networks.wan, _ours(tunnel).vpn.corner.name)
        behind = Listener(networks.lan, f"lan{self._gateway.at.index}")
        yield found
        packets, shown = outside.heard(pattern)
        found.append(Wire(packets, shown, behind.heard(pattern)[1]))

    def reload(self, side: Side) -> None:
        self._occtl(side, "reload")

    def disconnect(self, tunnel: ports.Tunnel) -> None:
        self._occtl("new", "disconnect", "user", _ours(tunnel).vpn.account.user)

    def _occtl(self, side: Side, *words: str) -> None:
        slot = SLOTS[side]
        release = self._pair.new.release if side == "new" else self._pair.old.release
        program = f"/var/lib/ocgate/releases/{release}/bin/occtl"
        self._gateway.run([program, "-s", f"/run/ocgate/{slot}/occtl.sock", *words])

    def pester(self, side: Side) -> Mapping[str, str]:
        return pester(self._corners[side, 1].space, self._gateway.public)

    def usage(self, side: Side) -> Usage:
        slot = next((slot for slot in self._port.facts().slots if slot.slot == SLOTS[side]), None)
        if slot is None or not slot.pid:
            if side == "new":
                raise Unfit("The new release does not run any more.", self.log("new"))
            raise BenchFailed("The old release does not run any more.")
        processes = _tree(self._gateway.machine.live / "proc", slot.pid)
        return Usage(
            cpu_seconds=sum(map(_cpu_seconds, processes)),
            memory=sum(map(_memory, processes)),
            open_files=sum(map(_open_files, processes)),
            processes=len(processes),
            restarts=slot.restarts,
        )

    def log(self, side: Side) -> str:
        path = self._gateway.machine.live / f"var/log/ocgate-slot-{SLOTS[side]}.log"
        found = path if path.exists() else None
        return found.read_text(errors="replace")[-LOG_MOST:] if found else ""

    def close(self) -> None:
        """Give the connection back; the lab ends the clients."""
        self._port.close()
        self._keeper.close_all()


def _openpgp_only(files: ReleaseFiles) -> ReleaseFiles:
    """The release with the signatures that the lab's gateway can judge: it pins no company's CA."""
    signatures = tuple((name, text) for name, text in files.signatures if name.endswith(".asc"))
    if not signatures:
        raise BenchFailed(f"{files.release} has no OpenPGP signature; the lab's gateway pins OpenPGP keys only.")
    return replace(files, signatures=signatures)


def _ours(tunnel: ports.Tunnel) -> Tunnel:
    if not isinstance(tunnel, Tunnel):
        raise TypeError("a tunnel of another bench")
    return tunnel


def _open(gateway: Gateway, staging: Staging, keeper: Keeper) -> SshGateway:
    keys = tuple((line.split()[0], line.split()[1]) for line in gateway.host_keys)
    target = Target(gateway.name, gateway.address, gateway.port, gateway.user, keys)
    secret = staging.controller_key.read_bytes()

    def changed(_: Exception) -> None:
        raise BenchFailed(f"Another machine answers at {gateway.address}.")

    return SshGateway(Loan(keeper, target, key=lambda: private_key(secret), on_changed=changed))


def _connects(opened: socket.socket, address: str) -> Callable[[], bool]:
    def look() -> bool:
        try:
            opened.connect((address, 443))
        except OSError as failure:
            return str(failure).endswith("connected")
        return True

    return look


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _tree(proc: Path, main: int) -> list[Path]:
    """The folders in /proc of a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir(proc):
        if entry.isdigit() and (fields := _stat(proc / entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [main]
    while todo:
        pid = todo.pop()
        found.append(proc / str(pid))
        todo += children.get(pid, [])
    return found


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu_seconds(process: Path) -> float:
    """User and system time, its ended children's included (proc(5), fields 14 to 17)."""
    fields = _stat(process)
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _memory(process: Path) -> int:
    """PSS in bytes: memory that several processes share counts for each by its part."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _open_files(process: Path) -> int:
    try:
        return len(os.listdir(process / "fd"))
    except OSError:
        return 0
