"""Keep the operator's secrets on the gateway: nothing that leaves it, and no log, carries them. Pure.

Two ways together: by what a text looks like (an option that holds a secret, a password in a log line), and by value
(`known`): what ocserv.conf calls a secret is taken out wherever it turns up.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, FrozenSet, Iterable, List

HIDDEN = "(masked)"
# Shorter values would take half of a log with them.
SHORTEST = 4
# Options whose whole value is secret. key-pin and srk-pin are PINs of a hardware key.
SECRET_OPTIONS = frozenset({"camouflage_secret", "camouflage-secret", "key-pin", "srk-pin"})
_WORDS = r"secret|passwd|password|passphrase|token|psk|(?<![a-z])pin(?![a-z])|cookie|webvpn|api[_-]?key"
_HOLDS = rf"(?<![A-Za-z0-9_.-])(?!ban-points|cookie-timeout)[A-Za-z0-9_.-]*(?:{_WORDS})[A-Za-z0-9_.-]*"
# No file's name, no switch, and nothing that is masked already.
_NONE = r"(?![\"']?/)(?!\(masked)(?!(?:true|false|yes|no)(?:[\s\"',;&\])\\]|\Z))"
_OPTION = re.compile(r"(?m)^[ \t]*(?P<name>[A-Za-z0-9_-]+)[ \t]*=[ \t]*(?!\(masked)(?P<value>\S.*?)[ \t\r]*$")
# Each names the secret `value`. The first covers a line of its own, the next quoted and bare values inside a line.
_SHAPES = (
    re.compile(rf"(?im)^\s*{_HOLDS}\s*[=:]\s*{_NONE}(?P<value>\S.*)$"),
    re.compile(rf"(?i){_HOLDS}\\?[\"']?\s*[=:]\s*\\?(?P<mark>[\"'])(?![/(])(?P<value>(?:(?!\\?(?P=mark)).)+)"),
    re.compile(rf"(?i){_HOLDS}[\"']?\s*[=:]\s*{_NONE}(?P<value>[^\s\"',;&\])\\]+)"),
    re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:(?P<value>(?!\(masked)[^\s/@\"']+)@"),
    re.compile(r"(?i)(?:\bbearer|authorization:\s*\S+)\s+(?P<value>(?!\(masked)[^\s\"']+)"),
    # radcli: `authserver HOST:PORT:SECRET`.
    re.compile(r"(?im)^\s*(?:authserver|acctserver)\s+\S+?:\d+:(?P<value>(?!\(masked)\S+)"),
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)

Name = Callable[[str], str]


def text(source: str, known: Iterable[str] = ()) -> str:
    """`source` without private keys, secret options, passwords, tokens, and without the values in `known`."""
    return _masked(source, known, lambda _value: HIDDEN)


def pair(old: str, new: str) -> "tuple[str, str]":
    """Two versions of a configuration, masked so that a diff still shows that a secret was changed, and no more."""
    names: Dict[str, str] = {}

    def name(value: str) -> str:
        return names.setdefault(_bare(value), f"(masked-{len(names) + 1})")

    known = secrets_in(old) | secrets_in(new)
    return _masked(old, known, name), _masked(new, known, name)


def secrets_in(conf: str) -> FrozenSet[str]:
    """The secret values of an ocserv.conf, without their quotes."""
    found: List[str] = [option["value"] for option in _OPTION.finditer(conf) if _is_secret(option["name"])]
    for shape in _SHAPES:
        found += [match["value"] for match in shape.finditer(conf)]
    return frozenset(bare for bare in map(_bare, found) if len(bare) >= SHORTEST)


def _masked(source: str, known: Iterable[str], name: Name) -> str:
    source = _PEM.sub("(private key masked)", source)
    for value in sorted(set(known), key=lambda value: (-len(value), value)):
        if len(value) >= SHORTEST and value in source:
            source = source.replace(value, name(value))
    source = _OPTION.sub(lambda option: _without(option, name) if _is_secret(option["name"]) else option[0], source)
    for shape in _SHAPES:
        source = shape.sub(lambda found: _without(found, name), source)
    return source


def _without(found: "re.Match[str]", name: Name) -> str:
    if "(masked" in found["value"]:
        return found[0]
    start, end = found.start("value") - found.start(), found.end("value") - found.start()
    return found[0][:start] + name(found["value"]) + found[0][end:]


def _is_secret(option: str) -> bool:
    return option.lower() in SECRET_OPTIONS


def _bare(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
