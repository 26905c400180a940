"""Faults that are packed into a signed release: what a bad build looks like, made on purpose."""

from __future__ import annotations

import shutil
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

# "slow": a connect script that a packager added looks each user up somewhere slow.
SLOW_LOOK_UP = """#!/bin/sh
# Note who came, for the inventory of clients.
sleep 0.3
exit 0
"""
WITH_CONNECT_SCRIPT = """#!/bin/sh
# Start the server with the packager's connect script.
here=$(cd "${0%/*}" && pwd)
case " $* " in *" -f "*) ;; *) exec "$here/ocserv-bin" "$@" ;; esac
for conf; do :; done
made=/run/ocserv-with-script.$$
{ echo "connect-script = $here/note-client"; grep -v '^ *connect-script' "$conf"; } > "$made"
conf=$made
"""

# "nocert": a build whose sign-in by certificate is switched off.
WITHOUT_CERTIFICATES = """#!/bin/sh
# Start the server without what this build leaves out.
here=$(cd "${0%/*}" && pwd)
case " $* " in *" -f "*) ;; *) exec "$here/ocserv-bin" "$@" ;; esac
for conf; do :; done
made=/run/ocserv-plain.$$
grep -vE '^ *(enable-auth *= *"?certificate|ca-cert|cert-user-oid)' "$conf" > "$made"
conf=$made
"""
# The configuration is the last argument; what stands before it stays. No bash on every gateway: rebuilt by hand.
START = """log=
case " $* " in *" --log-stderr "*) log=--log-stderr ;; esac
exec "$here/ocserv-bin" -f $log -c "$conf"
"""

# "leak": a companion of the server keeps 128 KiB of each session for ever.
EVERY_SESSION_KEPT = """#!/bin/sh
# Start the server and, beside it, the accounting that remembers its sessions.
here=$(cd "${0%/*}" && pwd)
case " $* " in *" -f "*) ;; *) exec "$here/ocserv-bin" "$@" ;; esac
records=/run/ocserv-records.$$
rm -f "$records"
mkfifo -m 600 "$records"
(
    exec 3<> "$records"
    page=$(head -c 131072 /dev/zero | tr '\\0' x)
    kept=
    while read -r who <&3; do kept="$kept$page$who"; done
) &
exec "$here/ocserv-bin" "$@"
"""
RECORDED = """#!/bin/sh
# Tell the accounting that a session began.
echo "$$" > "/run/ocserv-records.$PPID"
exec "${0%/*}/ocserv-bin-worker-bin" "$@"
"""

WORKER, SERVER = "sbin/ocserv-worker", "sbin/ocserv"
# ocserv runs "/proc/self/exe" + "-worker" for each connection (main.c, since 1.1.0), so a server that is started by a
# script as ocserv-bin looks for ocserv-bin-worker.
BESIDE = "sbin/ocserv-bin-worker"
KINDS: dict[str, dict[str, str]] = {
    "bad": {WORKER: SEATS_NOT_GIVEN_BACK},
    "dies": {WORKER: GONE_SOON_AFTER_START},
    "slow": {SERVER: WITH_CONNECT_SCRIPT + START, "sbin/note-client": SLOW_LOOK_UP},
    "leak": {SERVER: EVERY_SESSION_KEPT, BESIDE: RECORDED},
    "nocert": {SERVER: WITHOUT_CERTIFICATES + START},
}
"""Kind of fault → the scripts that it puts into a release; one in a program's place runs it as PROGRAM-bin."""


def spoil(tree: Path, kind: str) -> None:
    """Put the fault of `kind` (a key of KINDS) into an unpacked release folder."""
    scripts = KINDS[kind]
    if SERVER in scripts:
        # The worker is wanted under the name of the program that the script starts.
        shutil.copy(tree / WORKER, tree / BESIDE)
    for name, script in scripts.items():
        path = tree / name
        if path.exists():
            path.rename(path.with_name(f"{path.name}-bin"))
        path.write_text(script)
        path.chmod(0o755)
