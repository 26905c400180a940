"""ocserv.conf for people's eyes: secrets masked, differences shown. Pure."""

from __future__ import annotations

import difflib
import re
from typing import List

from .options import SECRETS

MASK = "********"
ANOTHER = "******** (another one)"
_NAMES = "|".join(sorted(map(re.escape, SECRETS), key=len, reverse=True))
# Commented out or written with a colon, it is a secret all the same.
_OPTION = re.compile(rf"(?i)^(?P<head>[\s#;]*(?:{_NAMES})\s*[=:]\s*)(?P<secret>\S.*)$")
_WORDS = r"(?:secret|password|passwd|passphrase|token|authorization|api[-_]?key)"
_INLINE = re.compile(
    rf"(?i)(?P<head>{_WORDS}[\w-]*[\"']?\s*[=:]\s*(?:bearer\s+|basic\s+)?)(?!/)(?P<secret>[^\s,\]\"';]+)"
)
_URL = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^\s/@:]*:)(?P<secret>[^\s/@]+)(?=@)")


def masked(text: str) -> str:
    """The text without its secrets; paths and everything else stay."""
    return "\n".join(_line(line, MASK) for line in text.split("\n"))


def diff(old: str, new: str, *, names: "tuple[str, str]" = ("agreed", "new")) -> str:
    """A unified diff of the two, masked; a secret that changed shows as another one. "" when nothing differs."""
    before, after = old.split("\n"), new.split("\n")
    shown_old = [_line(line, MASK) for line in before]
    shown_new = [_masked_against(line, before) for line in after]
    return "\n".join(difflib.unified_diff(shown_old, shown_new, *names, lineterm="", n=3))


def _masked_against(line: str, before: List[str]) -> str:
    plain = _line(line, MASK)
    return plain if plain == line or line in before else _line(line, ANOTHER)


def _line(line: str, mask: str) -> str:
    if found := _OPTION.match(line):
        return found.group("head") + mask
    line = _INLINE.sub(lambda seen: seen.group("head") + mask, line)
    return _URL.sub(lambda seen: seen.group("head") + mask, line)
