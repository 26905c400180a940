"""Known weaknesses of a version: the security floor, kept as data that can be replaced without a new program."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from approvals.errors import Refused


@dataclass(frozen=True)
class Weakness:
    """`patched` names releases that have the fix in spite of their version, as distributions backport them."""

    id: str
    fixed_in: str
    say: str
    patched: tuple[str, ...]


def read(path: Path, product: str) -> list[Weakness]:
    """Return what is known of a product. Refused when the file can't be read or does not know the product."""
    try:
        known = json.loads(path.read_text())["products"][product]
        return [Weakness(row["id"], row["fixed_in"], row["say"], tuple(row["patched"])) for row in known]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Refused(f"The list of weaknesses {path} says nothing about {product} ({type(error).__name__}: {error}).")


def of(known: list[Weakness], *, version: str, release: str) -> list[Weakness]:
    """Those that a release has by its version. Pure."""
    return [one for one in known if release not in one.patched and order(version) < order(one.fixed_in)]


def order(version: str) -> list[int]:
    """A key to compare versions like 1.3.0 and 1.10 by; what follows the numbers does not count."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in numbers[0].split(".")] if numbers else []
