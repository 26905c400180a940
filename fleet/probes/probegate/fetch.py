"""`probegate fetch URL`: get one thing over HTTP from inside the tunnel; how much came in how long, as JSON."""

from __future__ import annotations

import http.client
import json
import sys
import time
import urllib.request

MOST = 4 * 1024 * 1024
SECONDS = 10


def main(url: str) -> int:
    began, size, why = time.monotonic(), 0, ""
    try:
        # The scheme was checked by words.FETCH; no proxy of this machine's is asked.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=SECONDS) as answer:
            while size < MOST and (chunk := answer.read(65536)):
                size += len(chunk)
    except (OSError, ValueError, http.client.HTTPException) as failure:
        why = f"{type(failure).__name__}: {failure}"[:200]
    sys.stdout.write(json.dumps({"bytes": size, "seconds": time.monotonic() - began, "why": why}) + "\n")
    return 0
