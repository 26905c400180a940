"""Shares the line among the downloads of this process: each sends a piece, then stands behind the others."""

from __future__ import annotations

import asyncio


class Turns:
    """`rate` is in bytes a second, for all together; 0 leaves it to the line."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free_at = 0.0  # the loop's clock
        self._line = asyncio.Lock()  # wakes who waits in the order in which they came

    async def take(self, size: int) -> None:
        """Return when `size` bytes may go out."""
        if not self._rate:
            return
        async with self._line:
            loop = asyncio.get_running_loop()
            if (wait := self._free_at - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._free_at = max(loop.time(), self._free_at) + size / self._rate
