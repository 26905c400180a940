"""No quiet downgrade: a release whose counter is lower than the highest that was ever committed here does not come in.

It does when it has run here before (that is a rollback), or when approvers who are pinned here signed the word
*downgrade* over its digest. The rule is asked when a release is staged, when it starts and when it is committed.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Dict, List

from . import slots, statement
from . import state as states
from .errors import Refused
from .paths import Paths
from .state import State


def of(paths: Paths, release: str) -> int:
    """The counter that a release's manifest says; 0 for the adopted ocserv, which has none."""
    counter = slots.manifest(paths.release(release)).get("counter", 0)
    return counter if isinstance(counter, int) else 0


def highest(state: State, paths: Paths) -> int:
    """The highest counter that was ever committed here; a state.json of an older ocgate does not know it yet."""
    committed = of(paths, state.committed.release) if state.committed else 0
    return max(state.counter, committed)


def refuse_lower(paths: Paths, *, release: str, digest: str, counter: int) -> None:
    """Raise `downgrade` for a release that may not come down to this gateway."""
    state = states.load(paths)
    most = highest(state, paths)
    ran = release in state.ran and digest_here(paths, release, state=state) in ("", digest)
    if counter >= most or ran or state.downgrades.get(digest, 0.0) > time.time():
        return
    say = (
        f"{release} has counter {counter} and this gateway has run {most}: that is a downgrade, and it never ran here."
    )
    raise Refused("downgrade", f"{say} Have the downgrade approved.")


def refuse_lower_here(paths: Paths, release: str) -> None:
    """The same for a release that was unpacked here."""
    if not paths.release(release).is_dir():
        return  # adopted, or nothing that could start
    digest = digest_of(paths.release(release))
    refuse_lower(paths, release=release, digest=digest, counter=of(paths, release))


def digest_of(folder: Path) -> str:
    """The digest of an unpacked release, "" where it has no manifest."""
    try:
        return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    except OSError:
        return ""


def digest_here(paths: Paths, release: str, *, state: State) -> str:
    """The digest of the release that came in under this name, "" when none is known."""
    return state.digests.get(release) or digest_of(paths.release(release))


def allow(paths: Paths, statements: List[Dict[str, Any]], *, digest: str) -> None:
    """Remember the downgrades that approvers signed; each must be for the release with this digest."""
    for one in statements:
        fields = statement.read(one["text"], paths.trust, kind="downgrade")
        if fields.get("digest") != digest:
            raise Refused("statement_bad", "The downgrade that was approved is one to another release.")
        statement.approved(one["text"], one["signatures"], paths.trust, kind="downgrade")
        with states.changing(paths) as state:
            state.downgrades[digest] = statement.moment(fields["expires"])


def remember(paths: Paths, release: str) -> None:
    """Raise the mark when a higher release was committed."""
    counter = of(paths, release)
    with states.changing(paths) as state:
        state.counter = max(highest(state, paths), counter)
