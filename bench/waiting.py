"""Waiting for what a bench needs, and what a gateway's own program says of where its new clients go."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from lab.gateway import Gateway

EVERY = 0.05  # seconds


def wait_until(true: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Ask until it is so; TimeoutError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"After {seconds:.0f} s: {what}.")
        time.sleep(EVERY)


def weights(gateway: Gateway) -> dict[str, int]:
    """Shares of new clients by slot, those that get some, as the gateway itself says."""
    line = json.dumps({"v": 2, "id": "1", "verb": "facts", "args": {}}) + "\n"
    said = gateway.run(["/usr/lib/ocgate/ocgate", "serve"], stdin=line)
    found: dict[str, int] = json.loads(said.splitlines()[-1])["result"]["weights"]
    return {slot: share for slot, share in found.items() if share}
