"""The count of one client's probe packets: sent, lost, when, and the longest time without an answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# A packet that has no answer after this many seconds is lost; should its answer still come, it is not.
GRACE = 2.0
MOST_LOSSES_TOLD = 1000


@dataclass
class Tally:
    """Times are seconds of one monotonic clock; `offset` turns them into epoch seconds."""

    started: float
    offset: float = 0.0
    sent: int = 0
    answered: int = 0
    stopped: float = 0.0
    _last_answer: float = 0.0
    _longest: float = 0.0
    _waiting: dict[int, float] = field(default_factory=dict)

    def send(self, now: float) -> int:
        """Count one packet out; its sequence number."""
        self.sent += 1
        self._waiting[self.sent] = now
        return self.sent

    def answer(self, sequence: int, now: float) -> None:
        """Count one answer; doubles and strangers are ignored."""
        if self._waiting.pop(sequence, None) is None:
            return
        self.answered += 1
        self._longest = max(self._longest, now - (self._last_answer or self.started))
        self._last_answer = now

    def close(self, now: float) -> None:
        """Count no more; packets still in flight are taken back, as nobody will hear their answers."""
        flying = [sequence for sequence, at in self._waiting.items() if now - at <= GRACE]
        for sequence in flying:
            del self._waiting[sequence]
        self.sent -= len(flying)
        self.stopped = now

    def losses(self, now: float) -> list[tuple[float, int]]:
        """Runs of lost packets: (when the first was sent, how many one after the other)."""
        runs: list[tuple[float, int]] = []
        previous = -1
        for sequence, at in self._waiting.items():
            if now - at <= GRACE:
                break
            if sequence == previous + 1:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((at, 1))
            previous = sequence
        return runs

    def report(self, now: float) -> dict[str, Any]:
        """`sent` `lost` `longest_gap_ms` and `losses` [[epoch seconds, count]…]; packets in flight count as neither."""
        runs = self.losses(now)
        end = self.stopped or now
        open_gap = end - (self._last_answer or self.started) if self.sent else 0.0
        told = [[round(at + self.offset, 3), count] for at, count in runs[:MOST_LOSSES_TOLD]]
        return {
            "sent": self.sent,
            "lost": sum(count for _, count in runs),
            "longest_gap_ms": round(1000 * max(self._longest, open_gap)),
            "losses": told,
        }
