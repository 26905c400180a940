"""One SSH connection to one gateway, and `ocgate serve` on channels of their own. docs/ocgate-protocol.md.

`steer` carries shift, commit, replace and restore only, so that a rollback waits for nothing; `ask` the other short
verbs; `stage` a bundle's bytes; `watch` a stream; `later` a shift that waits for its moment: these three end with what
they were opened for. After a time-out a channel is
closed: its late answer would be taken for the next one's.
"""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import paramiko

from approvals import trail
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.answers import GatewayBug
from fleet.gateways.dial import ConnectionLost, Target, dial
from fleet.gateways.lines import BROKEN, SILENCE_SECONDS, BadAnswer, Lines, Pulse

PROTOCOL = 3
COMMAND = "ocgate serve"  # for the reader: the forced command on the gateway decides
OPEN_SECONDS = 10.0
REQUEST_MOST = 256 * 1024  # bytes, the gateway's limit
ANSWER_MOST = 1024 * 1024
PROGRESS_MOST = 100_000  # messages before an answer

Kind = Literal["steer", "ask", "stage", "watch", "later"]
KEPT: frozenset[Kind] = frozenset({"steer", "ask"})
OnProgress = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Question:
    """One request. `seconds`: until when the whole answer must be here; `most`: bytes of a line.

    `patience`: seconds to wait while another request has the channel.
    """

    verb: str
    args: Mapping[str, Any] = field(default_factory=dict)
    fence: int | None = None
    kind: Kind = "ask"
    seconds: float = 10.0
    most: int = ANSWER_MOST
    silence: float = SILENCE_SECONDS
    patience: float = 3600.0


def ignore(_: Mapping[str, Any]) -> None:
    """Nobody wants the progress."""


class Session:
    """A live connection. Threads may share it; each kind of channel answers one of them at a time."""

    def __init__(self, target: Target, key: paramiko.PKey) -> None:
        self.target = target
        self._transport = dial(target, key)
        self._pulse = Pulse(self._transport)
        self._ids = itertools.count(1)
        self._lines: dict[Kind, Lines] = {}
        self._locks: dict[Kind, threading.Lock] = {
            "steer": threading.Lock(),
            "ask": threading.Lock(),
            "stage": threading.Lock(),
            "watch": threading.Lock(),
            "later": threading.Lock(),
        }

    @property
    def alive(self) -> bool:
        """As far as is known without asking."""
        return self._transport.is_active()

    def close(self) -> None:
        """Close everything. A request that still waits ends with ConnectionLost."""
        self._pulse.close()
        self._transport.close()

    def abandon(self) -> None:
        """Close a connection to a peer that shows no sign of life, and take back what it has not taken yet.

        An ordinary close leaves that with the kernel, which delivers it when the network heals, minutes after we gave
        up: a commit to a gateway that went back by itself meanwhile (measured).
        """
        if isinstance(sock := self._transport.sock, socket.socket):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def ask(self, question: Question, *, on_progress: OnProgress = ignore) -> Mapping[str, Any]:
        """Return the result. RetryLater, GiveUp, or GatewayBug as the gateway's `error.kind` says."""
        deadline = time.monotonic() + question.seconds
        asked = trail.span("ssh", verb=question.verb, gateway=self.target.name)
        with asked, self.line(question.kind, deadline=deadline, patience=question.patience) as lines:
            id = self.send(lines, question, deadline=deadline)
            return self.result(lines, question, id=id, deadline=deadline, on_progress=on_progress)

    def warm(self, kind: Kind) -> None:
        """Open a channel and start its `ocgate` before it is needed; no harm where that fails or somebody uses it."""
        if kind in self._lines or not self._locks[kind].acquire(blocking=False):
            return
        try:
            self._lines[kind] = self._open()
        except RetryLater:
            pass  # who really needs the channel hears about it
        finally:
            self._locks[kind].release()

    @contextmanager
    def line(self, kind: Kind, *, deadline: float, patience: float = 3600.0) -> Iterator[Lines]:
        """Hold one channel. It stays open only if what was asked was answered, with yes or with no."""
        name = self.target.name
        if not self._locks[kind].acquire(timeout=max(0.0, min(patience, deadline - time.monotonic()))):
            raise RetryLater(f"{name} is still busy with an earlier {kind} request.", code="busy")
        try:
            with self._pulse.listening():
                if kind not in self._lines:
                    self._lines[kind] = self._open()
                yield self._lines[kind]
            if kind not in KEPT:
                self._drop(kind)
        except Answered as answered:
            if kind not in KEPT:
                self._drop(kind)  # a no may have come in the middle of a bundle's bytes
            raise answered.failure from None
        except BaseException as broken:
            self._drop(kind)
            if isinstance(broken, ConnectionLost) and self._pulse.silence() > SILENCE_SECONDS:
                self.abandon()
            raise
        finally:
            self._locks[kind].release()

    def send(self, lines: Lines, question: Question, *, deadline: float) -> str:
        """Send the request and return its id."""
        id = str(next(self._ids))
        request = {"v": PROTOCOL, "id": id, "verb": question.verb, "args": dict(question.args)}
        if question.fence is not None:
            request["fence"] = question.fence
        line = json.dumps(request, separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) > REQUEST_MOST:
            say = f"The {question.verb} request has {len(line)} bytes; a gateway takes {REQUEST_MOST}."
            raise GiveUp(say, code="request_too_long")
        lines.send(line, deadline=deadline, silence=question.silence)
        return id

    def result(
        self, lines: Lines, question: Question, *, id: str, deadline: float, on_progress: OnProgress = ignore
    ) -> Mapping[str, Any]:
        """Read until the answer with this id."""
        for _ in range(PROGRESS_MOST):
            message = lines.receive(deadline=deadline, most=question.most, silence=question.silence)
            if is_answer(message, id, name=self.target.name):
                return read_answer(message, name=self.target.name)
            on_progress(message)
        raise BadAnswer(f"{self.target.name} sent {PROGRESS_MOST} progress lines and no answer to {question.verb}.")

    def _open(self) -> Lines:
        # paramiko waits without end for the answer to `exec`: end the connection if it does not come.
        guard = threading.Timer(OPEN_SECONDS, self._transport.close)
        guard.daemon = True
        guard.start()
        try:
            channel = self._transport.open_session(timeout=OPEN_SECONDS)
            channel.exec_command(COMMAND)  # nosec B601 # a constant; the forced command decides anyway
        except BROKEN as refused:
            why = str(refused).rstrip(".") or type(refused).__name__
            raise ConnectionLost(f"{self.target.name} opened no channel: {why}.") from refused
        finally:
            guard.cancel()
        return Lines(channel, pulse=self._pulse, name=self.target.name)

    def _drop(self, kind: Kind) -> None:
        lines = self._lines.pop(kind, None)
        if lines is not None:
            lines.close()


class Answered(Exception):
    """Carries the gateway's no out of a channel that is as good as before."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(str(failure))
        self.failure = failure


def is_answer(message: Mapping[str, Any], id: str, *, name: str) -> bool:
    """True for the answer to `id`, False for its progress. An answer without id says no to a line it could not read."""
    if message.get("id") != id and not (message.get("id") is None and message.get("ok") is False):
        raise BadAnswer(f"{name} answered request {message.get('id')!r:.40}, asked was {id}. The channel was closed.")
    return "ok" in message


def read_answer(message: Mapping[str, Any], *, name: str) -> Mapping[str, Any]:
    """Return the result of an answer, or raise what its error says."""
    if message["ok"] is True:
        result = message.get("result")
        if not isinstance(result, Mapping):
            raise BadAnswer(f"{name} said yes without a result. The channel was closed.")
        return result
    error = message.get("error")
    if not isinstance(error, Mapping):
        raise BadAnswer(f"{name} said no without a reason. The channel was closed.")
    say, code = f"{name}: {error.get('say', 'no reason given')}", str(error.get("code", ""))
    match error.get("kind"):
        case "refused":
            raise Answered(GiveUp(say, code=code))
        case "retry":
            raise Answered(RetryLater(say, code=code))
        case _:
            raise Answered(GatewayBug(say, code=code))
