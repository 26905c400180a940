"""Which dashboard, and with which token: from the environment, else from ~/.config/handover/config."""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from handover.ground import USAGE, Ground, Stop

HOW = """Say which dashboard: set HANDOVER_URL and HANDOVER_TOKEN, or write them into {path}:

[handover]
url = https://handover.example.org
token = ho_…

Tokens are made on the dashboard at /account/tokens/."""
NEAR = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Config:
    """Where to ask and who asks."""

    url: str
    token: str


def read(ground: Ground) -> Config:
    """The environment counts first. Stop(USAGE) where something is missing or would leak the token."""
    path = place(ground)
    kept = file(path)
    url = (ground.env.get("HANDOVER_URL") or kept.get("url", "")).strip().rstrip("/")
    token = (ground.env.get("HANDOVER_TOKEN") or kept.get("token", "")).strip()
    if not url or not token:
        raise Stop(USAGE, HOW.format(path=path))
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Stop(USAGE, f"{url} is no address of a dashboard: it begins with https:// and has a host.")
    if parts.scheme == "http" and parts.hostname not in NEAR:
        raise Stop(USAGE, f"{url} would carry your token in clear. Use https://.")
    return Config(url, token)


def place(ground: Ground) -> Path:
    """Where the file is looked for."""
    home = ground.env.get("XDG_CONFIG_HOME") or str(Path(ground.env.get("HOME", "~")).expanduser() / ".config")
    return Path(home) / "handover" / "config"


def file(path: Path) -> dict[str, str]:
    """What the file says; nothing where there is none. Stop(USAGE) where others may read the token in it."""
    if not path.exists():
        return {}
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise Stop(USAGE, f"Others may read {path}, and a token stands in it: chmod 600 {path}")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        return dict(parser["handover"]) if parser.has_section("handover") else {}
    except (configparser.Error, OSError, UnicodeDecodeError) as wrong:
        raise Stop(USAGE, f"{path} can't be read: {wrong}") from None
