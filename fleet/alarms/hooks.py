"""A webhook as it goes over the wire: where to, with which headers, which bytes. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from fleet.alarms.addresses import BadAddress

SCHEMES = {"https": "https", "http": "http", "jsons": "https", "json": "http"}
"""Of a webhook's address; json:// and jsons:// are how addresses were written that were added earlier."""
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")  # RFC 9110, 5.6.2
OURS = frozenset({"host", "content-length", "content-type", "connection", "transfer-encoding", "user-agent"})


@dataclass(frozen=True)
class Hook:
    """One POST. `body`: exactly what was signed, as text; `headers` with the signature."""

    url: str  # http(s)://
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: str = ""  # Base64 of a body that is no text


def target(address: str) -> tuple[str, dict[str, str]]:
    """(URL, headers) of a webhook's address. Raise BadAddress.

    A user and a password in it are sent as Basic. Of a json:// address `?+Name=value` is a header and `?-name=value`
    a part of the query, as apprise had it; of http:// the query stays as it is.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadAddress("The address can't be read: look at its brackets and its port.") from None
    if parts.scheme not in SCHEMES or not host:
        raise BadAddress("A webhook's address is https://HOST/PATH.")
    query, headers = parts.query, {}
    if parts.scheme.startswith("json"):
        headers = dict(_headers(query))
        query = "&".join(one[1:] for one in query.split("&") if one.startswith("-"))
    if parts.username is not None:
        both = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(both).decode()}"
    where = f"[{host}]" if ":" in host else host
    where = f"{where}:{port}" if port else where
    return urlunsplit((SCHEMES[parts.scheme], where, parts.path or "/", query, "")), headers


def _headers(query: str) -> Iterator[tuple[str, str]]:
    for one in query.split("&"):
        name, _, value = one.partition("=")
        if name.startswith("+"):
            name, value = unquote(name[1:]), unquote(value)
            known = name.lower() in OURS or name.lower().startswith("webhook-")
            if known or not TOKEN.fullmatch(name) or not (value.isascii() and value.isprintable()):
                raise BadAddress("A header in the address can't be sent.")
            yield name, value
