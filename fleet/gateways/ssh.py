"""The SSH adapter of fleet.ports.Gateway: verbs and dataclasses on one side, lines of a kept session on the other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from fleet.bundles import source
from fleet.errors import GiveUp
from fleet.gateways import answers, answers_trust, later
from fleet.gateways.answers import GatewayBug
from fleet.gateways.dial import ConnectionLost
from fleet.gateways.lines import Lines
from fleet.gateways.session import OnProgress, Question, Session, ignore
from fleet.inventory import Inventory
from fleet.ports import (
    Archive,
    Authorized,
    Checked,
    Configured,
    Drain,
    Facts,
    Probed,
    Program,
    Progress,
    ReleaseFiles,
    Replaced,
    Replacement,
    Restored,
    Retired,
    Shifted,
    Signatures,
    SlotMetrics,
    Staged,
    Started,
    Statement,
    Trusted,
    Upgraded,
    Weights,
)
from fleet.ports import Session as UserSession

STAGE_SECONDS = 3600.0
SNAPSHOT_MOST = 8 * 1024 * 1024  # bytes of one line: 4 MiB as base64, and the file names
SEND_CHUNK = 64 * 1024
TELL_SECONDS = 0.5  # between two calls of a caller's progress
QUIET_SECONDS = 20.0  # a slow line is no dead peer while a bundle goes over it

Json = Mapping[str, Any]


class Borrow(Protocol):
    """Where the adapter gets its session from: kept.py."""

    def take(self) -> tuple[Session, bool]:
        """Return a live session, and whether it was opened just now."""

    def give_back(self) -> None:
        """The caller has ended: the session may be closed when nobody else wants it."""


class SshGateway:
    """One gateway over SSH. Any thread may use it; `close` gives the session back."""

    def __init__(self, borrow: Borrow) -> None:
        self._borrow = borrow

    def facts(self) -> Facts:
        return answers.facts(self._ask(Question("facts", seconds=15)))

    def stage(self, files: ReleaseFiles, *, fence: int, progress: Progress) -> Staged:
        session, _ = self._borrow.take()
        return answers.staged(stage(session, files, fence=fence, progress=progress))

    def check(self, release: str, slot: int, *, conf: str = "", over: str = "") -> Checked:
        args = {"release": release, "slot": slot, **given(conf=conf, over=over)}
        return answers.checked(self._ask(Question("check", args, seconds=60)))

    def start(self, release: str, slot: int, *, conf: str = "", over: str = "", fence: int) -> Started:
        args = {"release": release, "slot": slot, **given(conf=conf, over=over)}
        question = Question("start", args, fence=fence, seconds=90)
        return answers.started(self._ask(question))

    def probe(self, slot: int, *, user: str, password: str) -> Probed:
        args = {"slot": slot, "user": user, "password": password}
        return answers.probed(self._ask(Question("probe", args, seconds=40)))

    def shift(self, weights: Weights, *, seconds: int, fence: int, after_ms: int = 0) -> Shifted:
        args = {"weights": {str(slot): weight for slot, weight in weights.items()}, "seconds": seconds}
        if after_ms:
            asked = time.monotonic()
            session, _ = self._borrow.take()
            return answers.shifted(later.shift(session, args, fence=fence, due=asked + after_ms / 1000))
        return answers.shifted(self._ask(Question("shift", args, fence=fence, kind="steer", seconds=15)))

    def commit(self, slot: int, *, fence: int) -> bool:
        raw = self._ask(Question("commit", {"slot": slot}, fence=fence, kind="steer", seconds=30))
        return answers.already(raw)

    def replace(self, wish: Replacement, *, fence: int) -> Replaced:
        args = {"release": wish.release, "cut_at_most": wish.cut_at_most, "seconds": wish.seconds}
        args |= {**given(conf=wish.conf, over=wish.over), **({"slot": wish.slot} if wish.slot else {})}
        question = Question("replace", args, fence=fence, kind="steer", seconds=150, most=SNAPSHOT_MOST)
        return answers.replaced(self._ask(question))

    def drain(self, slot: int, *, names: bool = False) -> Drain:
        args = {"slot": slot, **({"names": True} if names else {})}
        return answers.drain(self._ask(Question("drain", args, seconds=15, most=SNAPSHOT_MOST)))

    def message(self, slot: int, text: str, *, fence: int) -> bool:
        return answers.already(self._ask(Question("message", {"slot": slot, "text": text}, fence=fence, seconds=35)))

    def sessions(self) -> tuple[UserSession, ...]:
        return answers.sessions(self._ask(Question("sessions", seconds=20, most=SNAPSHOT_MOST)))

    def signed_out(self) -> frozenset[str]:
        return answers.signed_out(self._ask(Question("departures", seconds=15, most=SNAPSHOT_MOST)))

    def retire(self, slot: int, *, cut_at_most: int, fence: int) -> Retired:
        args = {"slot": slot, "cut_at_most": cut_at_most}
        return answers.retired(self._ask(Question("retire", args, fence=fence, seconds=90, most=SNAPSHOT_MOST)))

    def restore(self, to: Literal["committed", "previous"], *, fence: int, cut_at_most: int | None = None) -> Restored:
        # A gateway that steers cuts nobody, and one from before bounds knows no other way back.
        args = {"to": to} if cut_at_most is None else {"to": to, "cut_at_most": cut_at_most}
        question = Question("restore", args, fence=fence, kind="steer", seconds=150, most=SNAPSHOT_MOST)
        return answers.restored(self._ask(question))

    def snapshot(self) -> Archive:
        return answers.archive(self._ask(Question("snapshot", seconds=90, most=SNAPSHOT_MOST)))

    def metrics(self, *, probes: Collection[str] = ()) -> tuple[SlotMetrics, ...]:
        args = {"probes": sorted(probes)} if probes else {}
        # A start may hold the channel for a minute: who measures many gateways goes on to the next one.
        found = answers.metrics(self._ask(Question("metrics", args, seconds=15, patience=2)))
        # Whoever watches a gateway may have to roll it back within 300 ms: no process start then.
        session, _ = self._borrow.take()
        session.warm("steer")
        return found

    def watch(self, *, seconds: int, every: int, seen: Callable[[tuple[SlotMetrics, ...]], None]) -> None:
        """Call `seen` with the metrics each `every` seconds, for `seconds`, on a channel that delays nothing else."""

        def sample(message: Json) -> None:
            seen(answers.metrics(message.get("metrics", {})))

        args = {"seconds": seconds, "every": every}
        question = Question("watch", args, kind="watch", seconds=seconds + 15)
        self._ask(question, on_progress=sample)

    def configure(self, conf: str, *, statement: Statement | None = None, fence: int) -> Configured:
        args: dict[str, Any] = {"conf": conf, "sha256": hashlib.sha256(conf.encode()).hexdigest()}
        if statement is not None:
            args |= {"statement": statement.text, "signatures": records(statement.signatures)}
        return answers.configured(self._ask(Question("configure", args, fence=fence, seconds=30)))

    def agree(self, conf: str, *, fence: int) -> bool:
        return answers.already(self._ask(Question("agree", {"conf": conf}, fence=fence, seconds=30)))

    def adopt_conf(self, sha256: str, *, fence: int) -> bool:
        return answers.already(self._ask(Question("adopt_conf", {"sha256": sha256}, fence=fence, seconds=30)))

    def reload(self, slot: int, conf: str, *, seconds: int = 0, fence: int) -> bool:
        args: dict[str, Any] = {"slot": slot, "conf": conf, **({"seconds": seconds} if seconds else {})}
        return answers.already(self._ask(Question("reload", args, fence=fence, seconds=35)))

    def inventory(self) -> Inventory:
        return answers_trust.inventory(self._ask(Question("inventory", seconds=45, most=SNAPSHOT_MOST)))

    def trust(self, statement: str, signatures: Signatures, *, fence: int) -> Trusted:
        args = {"statement": statement, "signatures": records(signatures)}
        return answers_trust.trusted(self._ask(Question("trust", args, fence=fence, seconds=60)))

    def crl(self, crl: str, *, fence: int) -> Trusted:
        return answers_trust.trusted(self._ask(Question("crl", {"crl": crl}, fence=fence, seconds=30)))

    def upgrade_self(self, program: Program, *, statement: Statement, fence: int) -> Upgraded:
        signed = {"statement": statement.text, "signatures": records(statement.signatures)}
        args = {**signed, "size": program.size, "sha256": program.sha256, "source": {"kind": "ssh"}}
        question = Question("upgrade_self", args, fence=fence, kind="stage", silence=QUIET_SECONDS)
        session, _ = self._borrow.take()
        return answers_trust.upgraded(carry(session, question, program.path, size=program.size, tell=Told(_untold)))

    def authorize(self, keys: Sequence[str], *, statement: Statement, fence: int) -> Authorized:
        args = {"keys": list(keys), "statement": statement.text, "signatures": records(statement.signatures)}
        return answers_trust.authorized(self._ask(Question("authorize", args, fence=fence, seconds=30)))

    def close(self) -> None:
        self._borrow.give_back()

    def _ask(self, question: Question, *, on_progress: OnProgress = ignore) -> Json:
        session, fresh = self._borrow.take()
        try:
            return session.ask(question, on_progress=on_progress)
        except ConnectionLost:
            # A kept connection may have died while nobody looked. Every verb may be asked twice, says the protocol.
            if fresh:
                raise
        session, _ = self._borrow.take()
        return session.ask(question, on_progress=on_progress)


def stage(session: Session, files: ReleaseFiles, *, fence: int, progress: Progress) -> Json:
    """Bring a release over the session's own channel for it; goes on where an earlier one was cut."""
    if (size := files.bundle.stat().st_size) != files.size:
        say = f"The bundle of {files.release} in the repository has {size} bytes and should have {files.size}."
        raise GiveUp(say, code="bundle_cut_short")
    question = Question("stage", stage_args(files), fence=fence, kind="stage", silence=QUIET_SECONDS)
    return carry(session, question, files.bundle, size=files.size, tell=Told(progress))


def carry(session: Session, question: Question, file: Path, *, size: int, tell: Told) -> Json:
    """Ask, and send a file's bytes from where the gateway wants them."""
    deadline = time.monotonic() + STAGE_SECONDS

    def told(message: Json) -> None:
        if message.get("progress") == "send":
            send_bytes(lines, file, offset=offset_of(message, size), deadline=deadline, tell=tell)
        else:
            tell(str(message.get("progress")), answers.count(message, "done"), answers.count(message, "total"))

    with session.line("stage", deadline=deadline) as lines:
        id = session.send(lines, question, deadline=deadline)
        return session.result(lines, question, id=id, deadline=deadline, on_progress=told)


def stage_args(files: ReleaseFiles) -> Json:
    said = [{"text": said.text, "signatures": records(said.signatures)} for said in files.statements]
    return {
        **({"statements": said} if said else {}),
        **({"mend": 1} if files.mend else {}),
        "release": files.release,
        "manifest": files.manifest,
        "sums": files.sums,
        "changelog": files.changelog,
        "signatures": records(files.signatures),
        "size": files.size,
        "sha256": files.sha256,
        "source": source(files.download),
    }


def given(**fields: str) -> Json:
    """Optional fields that have a value."""
    return {name: value for name, value in fields.items() if value}


def records(signatures: Signatures) -> list[dict[str, str]]:
    return [{"name": name, "text": text} for name, text in signatures]


def offset_of(message: Json, size: int) -> int:
    """Return where the gateway wants the bundle to begin: it keeps what an earlier stage brought."""
    offset = answers.count(message, "done")
    if not 0 <= offset <= size:
        raise GatewayBug(f"The gateway asked for a bundle of {size} bytes from byte {offset}.", code="bad_answer")
    return offset


def send_bytes(lines: Lines, file: Path, *, offset: int, deadline: float, tell: Told) -> None:
    """Send the file's bytes from `offset` on; stop when the gateway says something: it can only be a no."""
    sent, size = offset, file.stat().st_size
    with file.open("rb") as bundle:
        bundle.seek(offset)
        while chunk := bundle.read(SEND_CHUNK):
            if lines.has_something():
                return
            try:
                lines.send(chunk, deadline=deadline, silence=QUIET_SECONDS)
            except ConnectionLost:
                if lines.has_something():
                    return  # its last words say why
                raise
            sent += len(chunk)
            tell("bundle", sent, size)


class Told:
    """Passes progress on, not more often than its reader can use: it may be a database row."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = 0.0

    def __call__(self, say: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= TELL_SECONDS or done >= total:
            self._last = now
            self._progress(say, done, total)


def _untold(_say: str, _done: int, _total: int) -> None:
    """Nobody waits for a program of 200 kB."""
