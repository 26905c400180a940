"""What the kernel knows of the clients' TLS channels: round trips and what had to be sent again (`ss -tin`).

Segments are counted per connection and a connection ends with its counts, so they are added up here as they grow.
"""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Optional, Tuple

from .run import run

HEAD = re.compile(r"^ESTAB\s+\d+\s+\d+\s+(\S+):\d+\s+(\S+):(\d+)")
RTT = re.compile(r"\brtt:([\d.]+)/")
SENT = re.compile(r"\bdata_segs_out:(\d+)")
AGAIN = re.compile(r"\bretrans:\d+/(\d+)")


@dataclass(frozen=True)
class Channel:
    """One connection. `peer` is address and port; `sent` counts data segments, `again` those that were sent again."""

    local: str
    peer: str
    address: str
    rtt_ms: float
    sent: int
    again: int


def look(port: int) -> Optional[List[Channel]]:
    """The channels to a port of ours, of all slots that have it; None where ss can't say."""
    done = run(["ss", "-tinH", "sport", "=", f":{port}"], timeout=3.0)
    return parse(done.out) if done.code == 0 else None


def parse(text: str) -> List[Channel]:
    """Channels of `ss -tin`, each with its details on the same or on the next line. Pure."""
    found = []
    for line in text.replace("\n\t", " ").splitlines():
        head, rtt = HEAD.match(line), RTT.search(line)
        if head and rtt:
            address = _bare(head.group(2))
            sent, again = SENT.search(line), AGAIN.search(line)
            found.append(
                Channel(
                    local=_bare(head.group(1)),
                    peer=f"{address} {head.group(3)}",
                    address=address,
                    rtt_ms=float(rtt.group(1)),
                    sent=int(sent.group(1)) if sent else 0,
                    again=int(again.group(1)) if again else 0,
                )
            )
    return found


def _bare(address: str) -> str:
    return address.strip("[]").replace("::ffff:", "")


def grown(before: Dict[str, List[int]], now: List[Channel]) -> Tuple[int, int]:
    """Segments that were sent, and sent again, since the last look. Pure.

    A peer whose count has shrunk is another connection from the same port.
    """
    sent = again = 0
    for channel in now:
        old_sent, old_again = before.get(channel.peer, [0, 0])
        fresh = channel.sent < old_sent
        sent += channel.sent - (0 if fresh else old_sent)
        again += max(0, channel.again - (0 if fresh else old_again))
    return sent, again


def users(found: List[Channel], *, at: FrozenSet[str], ours: FrozenSet[str]) -> List[Channel]:
    """Those to the addresses `at` (all where it is empty), without our own probes. Pure."""
    return [one for one in found if (not at or one.local in at) and one.address not in ours]


def rtt(found: List[Channel]) -> Tuple[Optional[float], Optional[float]]:
    """Median and 95th percentile in milliseconds; None without channels. Pure."""
    times = sorted(channel.rtt_ms for channel in found)
    if not times:
        return None, None
    return round(statistics.median(times), 2), round(times[min(len(times) - 1, int(0.95 * len(times)))], 2)
