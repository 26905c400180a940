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
LAST_WORDS = 0.5  # seconds

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
        self._beating = self._closed = False
        self._heard = time.monotonic()

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
        """Inside, `beat` may be called."""
        with self._change:
            if self._waiting == 0:
                self.heard()  # nobody listened before: the silence begins now
            self._waiting += 1
        try:
            yield
        finally:
            with self._change:
                self._waiting -= 1
                self._change.notify_all()

    def beat(self) -> None:
        """Somebody has waited for a while: ask each second from now on, until nobody waits. Returns at once.

        Short requests are over before that, so a fleet of quiet connections has no thread for each.
        """
        with self._change:
            if self._beating or self._closed:
                return
            self._beating = True
        threading.Thread(target=self._beat, name=f"pulse {self._transport.name}", daemon=True).start()

    def _beat(self) -> None:
        while self._asked():
            self.heard()
            with self._change:
                self._change.wait_for(self._over, timeout=BEAT_SECONDS)
                if self._over():
                    self._beating = False
                    return
        with self._change:
            self._beating = False

    def _over(self) -> bool:
        return self._closed or self._waiting == 0

    def _asked(self) -> bool:
        """Whether the peer answered; waits for as long as it says nothing."""
        try:
            self._transport.global_request("keepalive@openssh.com", wait=True)
        except BROKEN:
            return False
        return self._transport.is_active()


class Lines:
    """One channel. Not for two threads at once: session.py holds its lock. `name` is the gateway's, for sentences."""

    def __init__(self, channel: paramiko.Channel, *, pulse: Pulse, name: str) -> None:
        self.channel = channel
        self.name = name
        self._pulse = pulse
        self._buffer = bytearray()
        self._searched = 0
        self._stderr = b""
        # Both streams share the channel's window: a peer that fills one that nobody reads is stuck for ever. So whoever
        # waits for an answer takes what is said beside it, too.
        self._something = threading.Event()
        for pipe in (channel.in_buffer, channel.in_stderr_buffer):
            pipe.set_event(self._something)

    def send(self, data: bytes, *, deadline: float, silence: float = SILENCE_SECONDS) -> None:
        """Send all of it before `deadline` (monotonic) and while the peer shows signs of life."""
        view = memoryview(data)
        while view:
            self.channel.settimeout(self._slice(deadline))
            self._take_stderr()
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
            if not self._readable(self._slice(deadline)):
                self._check_silence(silence)
                continue
            chunk = self.channel.recv(CHUNK)
            if not chunk:
                raise self._lost()
            self._pulse.heard()
            self._buffer += chunk
        return self._parse(line)

    def _readable(self, seconds: float) -> bool:
        """Wait until there is something to read, or the end; False when `seconds` are over before."""
        until = time.monotonic() + seconds
        while True:
            # In this order: reading clears the event, so what came meanwhile is looked for after it.
            self._take_stderr()
            if self.channel.recv_ready() or self.channel.eof_received or self.channel.closed:
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._something.wait(left)

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
        """Seconds to wait now: until the deadline, at most one beat, so that silence is noticed."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimedOut(f"{self.name} did not answer in time. The channel was closed; it is asked again.")
        return min(BEAT_SECONDS, max(0.05, remaining))

    def _check_silence(self, most: float) -> None:
        self._pulse.beat()
        if self._pulse.silence() > most:
            raise ConnectionLost(f"{self.name} showed no sign of life for {most:g} s. The connection was closed.")

    def _lost(self) -> ConnectionLost:
        if (silence := self._pulse.silence()) > SILENCE_SECONDS:
            return ConnectionLost(f"{self.name} showed no sign of life for {silence:.0f} s. The connection was closed.")
        self._last_words()
        cut = " in the middle of a line" if self._buffer else ""
        said = plain(self._stderr.decode("utf-8", "replace")).strip().rpartition("\n")[2][-300:].rstrip(".")
        why = f" It said: {said}." if said else ""
        return ConnectionLost(f"{self.name} closed the channel{cut}.{why}")

    def _take_stderr(self) -> None:
        """Take what is there of it; never waits."""
        while self.channel.recv_stderr_ready():
            chunk = self.channel.recv_stderr(CHUNK)
            self._stderr = (self._stderr + chunk)[-STDERR_KEPT:]

    def _last_words(self) -> None:
        """What is said on stderr may come after the end of the answers."""
        until = time.monotonic() + LAST_WORDS
        while not self.channel.closed and time.monotonic() < until:
            self._take_stderr()
            time.sleep(0.01)
        self._take_stderr()


def plain(value: Any) -> Any:
    """Take control characters out of every text in a JSON value: it will be shown and logged."""
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value
