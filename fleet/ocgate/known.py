"""The secrets of this gateway's operator by value, so that no answer, log or snapshot carries them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import FrozenSet, Iterator, Set

from . import mask
from .config import Config
from .paths import Paths

READ_MOST = 512 * 1024  # bytes of each file; a configuration has fewer, so nothing hides behind comments
_FILES = re.compile(r"(?m)^\s*(?:auth|enable-auth|acct)\s*=.*?\bconfig=([^,\]\"'\s]+)")
_PIN_FILES = re.compile(r"(?m)^\s*(?:pin-file|srk-pin-file)\s*=\s*[\"']?(/[^\s\"']+)")
_SERVERS = re.compile(r"(?m)^\s*servers\s+(/\S+)")
_SERVER = re.compile(r"(?m)^\s*(?!#)\S+\s+(\S+)\s*$")
_AUTH_SERVER = re.compile(r"(?m)^\s*(?:authserver|acctserver)\s+\S+?:\d+:(\S+)")


def secrets(config: Config, paths: Paths) -> FrozenSet[str]:
    """Every secret value in ocserv.conf, as it is and as it was agreed, and in RADIUS and PIN files that it names."""
    found: Set[str] = set()
    for path in (config.ocserv_conf, paths.agreed_conf, *sorted((paths.lib / "confs").glob("*.conf"))):
        text = _read(path)
        found |= mask.secrets_in(text)
        found |= set(_beside(text))
    return frozenset(value for value in found if len(value) >= mask.SHORTEST)


def _beside(conf: str) -> Iterator[str]:
    for name in _PIN_FILES.findall(conf):
        yield _read(Path(name)).strip()
    for name in _FILES.findall(conf):
        radius = _read(Path(name))
        yield from _AUTH_SERVER.findall(radius)
        for servers in _SERVERS.findall(radius):
            yield from _SERVER.findall(_read(Path(servers)))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as source:
            return source.read(READ_MOST).decode("utf-8", "replace")
    except OSError:
        return ""
