"""The web server alone, with neither worker nor clock: for tests and benches."""

from __future__ import annotations

import sys


def command(host: str, port: int) -> tuple[str, ...]:
    """What starts it, as contrib/systemd does."""
    return (
        *("/usr/bin/env", "MALLOC_ARENA_MAX=2", sys.executable, "-m", "uvicorn", "upgrader.asgi:application"),
        *("--host", host, "--port", str(port)),
        *("--timeout-graceful-shutdown", "2", "--no-server-header", "--no-proxy-headers", "--log-level", "warning"),
    )
