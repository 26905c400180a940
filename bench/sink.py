"""An upload to the same server with nothing behind it: what sending alone takes. `uvicorn bench.sink:application`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read the request to its end, drop it, answer 204."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
