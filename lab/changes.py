"""A release's change log out of the Debian package's own, shortened."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

ENTRIES = 2
SUBJECTS = 12


def _opened(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode(errors="replace") if path.exists() else ""


def _debian(tree: Path) -> str:
    docs = tree / "usr/share/doc/ocserv"
    return _opened(docs / "changelog.Debian.gz") or _opened(docs / "changelog.Debian.amd64.gz")


def built_at(tree: Path) -> str:
    """The time of the newest entry of the package's change log, ISO 8601 in UTC."""
    if found := re.search(r"^ -- .*?>  (.+)$", _debian(tree), re.MULTILINE):
        return parsedate_to_datetime(found[1]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return datetime(1970, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shortened(tree: Path, release: str) -> str:
    """CHANGELOG.md: the newest Debian entries and the newest upstream subjects."""
    entries = re.split(r"\n(?=ocserv \()", _debian(tree))[:ENTRIES]
    upstream = _opened(tree / "usr/share/doc/ocserv/changelog.gz")
    subjects = re.findall(r"^Date:.*\n\n    (?!Merge )(.+)$", upstream, re.MULTILINE)[:SUBJECTS]
    lines = [f"# ocserv {release}", "", "## Debian's packaging", ""]
    for entry in entries:
        lines += ["    " + line if line else "" for line in entry.strip().splitlines()] + [""]
    if subjects:
        lines += ["## Upstream, newest first", "", *(f"- {subject}" for subject in subjects), ""]
    return "\n".join(lines)
