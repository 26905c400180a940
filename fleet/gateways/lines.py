"""JSON lines over one SSH channel, with deadlines of our own; and the pulse that notices a dead peer."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import paramiko

from fleet.errors import RetryLater
from fleet.gateways.dial import ConnectionLost

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 5.0  # a peer that shows no sign of life for so long is dead
CHUNK = 65536
BROKEN = (paramiko.SSHException, EOFError, OSError)  # what paramiko raises when a connection is gone
STDERR_KEPT = 2048  # bytes
IDLE_TIMEOUT = 30.0  # seconds between two looks of the reader of stderr, while nobody asks

# C0 but tab and newline, DEL, C1, and the marks that turn the direction of text around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class BadAnswer(RetryLater):
    """What came is not an answer to what was asked."""

    def __init__(self, say: str) -> None:
        super().__init__(say, code="bad_answer")


class TimedOut(RetryLater):
    """The peer lives, the answer did not come in time."""

    def __init__(self, say: str) -> None:
        super().__init__(say, code="timed_out")


class Pulse:
    """Asks the peer's sshd for a sign of life each second while somebody waits for an answer.

    TCP alone takes minutes to notice a dead peer, and never notices a frozen one.
    """

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport
        self._change = threading.Condition()
        self._waiting = 0
        self._closed = False
        self._heard = time.monotonic()
        threading.Thread(target=self._beat, name=f"pulse {transport.name}", daemon=True).start()

    def heard(self) -> None:
        """Something came from the peer."""
        self._heard = time.monotonic()

    def silence(self) -> float:
        """Seconds since the last sign of life, as far as somebody was listening."""
        return time.monotonic() - self._heard

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Beat while inside."""
        with self._change:
            if self._waiting == 0:
                self.heard()  # nobody listened before: the silence begins now
            self._waiting += 1
            self._change.notify_all()
        try:
            yield
        finally:
            with self._change:
                self._waiting -= 1

    def _beat(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._waiting > 0)
                # Short requests are over before the first beat is due and cost none.
                self._change.wait_for(lambda: self._closed, timeout=BEAT_SECONDS)
                if self._closed:
                    return
                if self._waiting == 0:
                    continue
            try:
                self._transport.global_request("keepalive@openssh.com", wait=True)
            except BROKEN:
                return
            if not self._transport.is_active():
                return
            self.heard()


class Lines:
    """One channel. Not for two threads at once: session.py holds its lock. `name` is the gateway's, for sentences."""

    def __init__(self, channel: paramiko.Channel, *, pulse: Pulse, name: str) -> None:
        self.channel = channel
        self.name = name
        self._pulse = pulse
        self._buffer = bytearray()
        self._searched = 0
        self._stderr = b""
        channel.settimeout(IDLE_TIMEOUT)
        # Both streams share the channel's window: a peer that fills one that nobody reads is stuck for ever.
        self._drain = threading.Thread(target=self._drain_stderr, name=f"stderr {name}", daemon=True)
        self._drain.start()

    def send(self, data: bytes, *, deadline: float, silence: float = SILENCE_SECONDS) -> None:
        """Send all of it before `deadline` (monotonic) and while the peer shows signs of life."""
        view = memoryview(data)
        while view:
            self.channel.settimeout(self._slice(deadline))
            try:
                sent = self.channel.send(bytes(view[:CHUNK]))
            except TimeoutError:
                self._check_silence(silence)
                continue
            except BROKEN as closed:
                raise self._lost() from closed
            if sent == 0:
                raise self._lost()
            view = view[sent:]

    def receive(self, *, deadline: float, most: int, silence: float = SILENCE_SECONDS) -> dict[str, Any]:
        """Return the next message: at most `most` bytes, before `deadline`, while the peer shows signs of life."""
        while (line := self._line(most)) is None:
            self.channel.settimeout(self._slice(deadline))
            try:
                chunk = self.channel.recv(CHUNK)
            except TimeoutError:
                self._check_silence(silence)
                continue
            if not chunk:
                raise self._lost()
            self._pulse.heard()
            self._buffer += chunk
        self.channel.settimeout(IDLE_TIMEOUT)
        return self._parse(line)

    def has_something(self) -> bool:
        """Would `receive` find the beginning of a message at once?"""
        return bool(self._buffer) or self.channel.recv_ready() or bool(self.channel.eof_received)

    def close(self) -> None:
        # Closing says goodbye to the peer, and fails where the connection is gone.
        with suppress(*BROKEN):
            self.channel.close()

    def _line(self, most: int) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        self._searched = len(self._buffer)
        if end > most or (end < 0 and len(self._buffer) > most):
            raise BadAnswer(f"{self.name} sent a line of more than {most} bytes. The channel was closed.")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except (UnicodeDecodeError, ValueError, RecursionError) as wrong:
            shown = plain(line[:80].decode("utf-8", "replace"))
            raise BadAnswer(f"{self.name} sent {shown!r} where JSON belongs. The channel was closed.") from wrong
        if not isinstance(message, dict):
            raise BadAnswer(f"{self.name} sent JSON that is no message. The channel was closed.")
        return {str(key): plain(value) for key, value in message.items()}

    def _slice(self, deadline: float) -> float:
        """Seconds to wait now: until the deadline, at most 1 s, so that silence is noticed."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimedOut(f"{self.name} did not answer in time. The channel was closed; it is asked again.")
        return min(1.0, max(0.05, remaining))

    def _check_silence(self, most: float) -> None:
        if self._pulse.silence() > most:
            raise ConnectionLost(f"{self.name} showed no sign of life for {most:g} s. The connection was closed.")

    def _lost(self) -> ConnectionLost:
        if (silence := self._pulse.silence()) > SILENCE_SECONDS:
            return ConnectionLost(f"{self.name} showed no sign of life for {silence:.0f} s. The connection was closed.")
        self._drain.join(0.5)
        cut = " in the middle of a line" if self._buffer else ""
        said = plain(self._stderr.decode("utf-8", "replace")).strip().rpartition("\n")[2][-300:].rstrip(".")
        why = f" It said: {said}." if said else ""
        return ConnectionLost(f"{self.name} closed the channel{cut}.{why}")

    def _drain_stderr(self) -> None:
        while True:
            try:
                chunk = self.channel.recv_stderr(CHUNK)
            except TimeoutError:
                continue  # a channel has one time-out for both streams
            except OSError:
                return
            if not chunk:
                return
            self._stderr = (self._stderr + chunk)[-STDERR_KEPT:]


def plain(value: Any) -> Any:
    """Take control characters out of every text in a JSON value: it will be shown and logged."""
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value
