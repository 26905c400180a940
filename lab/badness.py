"""Faults that are packed into a signed release: what a bad build looks like, made on purpose."""

from __future__ import annotations

from pathlib import Path

# "bad": a packager's limit on workers that takes a seat for each connection and never gives one back. The first
# connections of a start are served, so configuration check, start and first logins pass; from then on two of three
# new connections are refused while connected users go on. It shows only when new users keep coming.
SEATS_NOT_GIVEN_BACK = """#!/bin/sh
# Limit the workers of one server: a seat for each.
seats=/run/ocserv-seats.$PPID
echo $$ >> "$seats"
taken=0
while read -r _; do taken=$((taken + 1)); done < "$seats"
if [ "$taken" -gt 12 ] && [ $(($$ % 3)) -ne 0 ]; then
    echo "ocserv-worker: no seat left" >&2
    exit 1
fi
exec "${0%/*}/ocserv-worker-bin" "$@"
"""

# "dies": the server answers its first connection and is gone two seconds later, as with a crash in a timer.
GONE_SOON_AFTER_START = """#!/bin/sh
(sleep 2; kill -SEGV "$PPID") >/dev/null 2>&1 </dev/null &
exec "${0%/*}/ocserv-worker-bin" "$@"
"""

KINDS = {"bad": SEATS_NOT_GIVEN_BACK, "dies": GONE_SOON_AFTER_START}


def spoil(tree: Path, kind: str) -> None:
    """Put the fault of `kind` (a key of KINDS) into an unpacked release folder, in front of its worker.

    ocserv runs "/proc/self/exe" + "-worker" for each connection (main.c, since 1.1.0).
    """
    worker = tree / "sbin/ocserv-worker"
    worker.rename(tree / "sbin/ocserv-worker-bin")
    worker.write_text(KINDS[kind])
    worker.chmod(0o755)
