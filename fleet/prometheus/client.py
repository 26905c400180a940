"""One question to one Prometheus over HTTP: bounded in time and size, no redirect, no proxy of this machine's."""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from fleet.alarms.addresses import NEVER
from fleet.errors import RetryLater

SECONDS = 5.0  # for one answer, from the connection to its last byte
ANSWER_MOST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Server:
    """Where it is, and the bearer token that it wants, "" for none."""

    url: str
    token: str = ""


def ask(server: Server, query: str) -> object:
    """The parsed JSON of GET /api/v1/query. RetryLater with what was wrong: nobody answers, no JSON, another status."""
    try:
        return json.loads(_fetched(server, f"/api/v1/query?{urlencode({'query': query}, quote_via=quote)}"))
    except (OSError, http.client.HTTPException) as silence:
        what = str(silence) or type(silence).__name__
        raise RetryLater(f"Prometheus does not answer: {what[:200]}.", code="unreachable") from silence
    except ValueError as wrong:
        raise RetryLater("Prometheus sent no JSON.", code="bad_answer") from wrong


def _fetched(server: Server, path: str) -> bytes:
    parts = urlsplit(server.url)
    deadline = time.monotonic() + SECONDS
    where = (parts.hostname or "", parts.port)
    if parts.scheme == "https":
        line: http.client.HTTPConnection = http.client.HTTPSConnection(
            *where, timeout=SECONDS, context=ssl.create_default_context()
        )
    else:
        line = http.client.HTTPConnection(*where, timeout=SECONDS)
    try:
        line.connect()
        refuse_bad(line.sock.getpeername()[0])
        line.request("GET", parts.path.rstrip("/") + path, headers=_headers(server))
        answer = line.getresponse()
        data = b""
        # Each read may take as long as the time-out: a server that drips would hold us for ever.
        while chunk := answer.read1(65536):
            data += chunk
            if len(data) > ANSWER_MOST:
                raise RetryLater(f"Prometheus sent more than {ANSWER_MOST >> 20} MiB.", code="too_much")
            if time.monotonic() > deadline:
                raise RetryLater(f"Prometheus did not end its answer within {SECONDS:g} s.", code="timed_out")
        # 400 and 422 come with a reason in JSON; all others are no answer of Prometheus at all.
        if answer.status not in (200, 400, 422):
            raise RetryLater(f"Prometheus answered {answer.status} {answer.reason[:60]}.", code="refused")
        return data
    finally:
        line.close()


def refuse_bad(address: str) -> None:
    """RetryLater for an address that nobody may be sent to. Asked of the connection itself: a name may change."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    plain = getattr(ip, "ipv4_mapped", None) or ip
    if any(plain in network for network in NEVER):
        raise RetryLater(f"{plain} is link-local or a cloud's metadata: nothing is asked there.", code="refused")


def _headers(server: Server) -> Mapping[str, str]:
    own = {"Accept": "application/json", "User-Agent": "handover"}
    return own | ({"Authorization": f"Bearer {server.token}"} if server.token else {})
