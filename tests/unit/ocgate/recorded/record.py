"""How recorded/metrics/ was made: `python -m tests.unit.ocgate.recorded.record`, as root. About two minutes.

One real gateway of the lab runs ocserv 1.1.6, 1.3.0 and 1.5.0 one after the other. On each, two guests sign in, one
reconnects, a stranger guesses five passwords on a connection each and is banned, another guesses three on one
connection, a worker is killed by SIGSEGV, a guest signs out, the other comes back from elsewhere; what occtl, ss and
the slot's log said is written down as it came.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from lab import host_files
from lab.commands import run, wait_until
from lab.fleet import Lab
from lab.gateway import Gateway, parse_occtl
from lab.spaces import Corner
from lab.vpn import Account, Vpn
from tests.gateway.ocgate import guests
from tests.gateway.ocgate.door import Door, started

HERE = Path(__file__).parent / "metrics"
RELEASES = {"1.1.6-3": 1, "1.3.0-2": 2, "1.5.0-1": 3}
BANS = "max-ban-score = 30\nban-reset-time = 300\nmin-reauth-time = 300\nban-points-wrong-password = 10\n"
ASKED = {"status": "show status", "users": "show users", "sessions": "show sessions valid", "bans": "show ip bans"}
GUESS = """import sys
from fleet.ocgate import probe
from fleet.ocgate.knock import Door
try:
    probe._sign_in(probe.Progress(), Door(sys.argv[1], 443), path="/", who=("guest1", "not-the-password"))
except (OSError, probe.Unexpected) as failure:
    print(failure)
"""


KEPT = {"users-1", "users-2", "users-3", "ss-2", "bans-3", "status-3", "sessions-3", "log-3", "log-4"}


def note(gateway: Gateway, release: str, when: str) -> None:
    """Write down what is asked now and that the tests read."""
    slot, folder = RELEASES[release], HERE / release.split("-", maxsplit=1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    tool = [f"/var/lib/ocgate/releases/{release}/bin/occtl", "-s", f"/run/ocgate/{slot}/occtl.sock", "-n", "-j"]
    asked = {name: [*tool, *words.split()] for name, words in ASKED.items()}
    asked["ss"] = ["ss", "-tinH", "src", f"198.18.0.{slot}", "sport", "=", ":4443"]
    asked["log"] = ["cat", f"/var/log/ocgate-slot-{slot}.log"]
    for name, argv in asked.items():
        if f"{name}-{when}" in KEPT:
            (folder / f"{name}-{when}.txt").write_text(gateway.run(argv))


def guess(lab: Lab, gateway: Gateway, host: int) -> None:
    corner = Corner(lab.clients.networks, f"t{host}", host)
    corner.up()
    for _ in range(5):
        account = Account("guest1", "not-the-password", gateway.public)
        vpn = Vpn(corner, account, folder=lab.place.folder / "clients", ca=lab.authority.certificate)
        vpn.start()
        while vpn.running:
            time.sleep(0.05)
    other = Corner(lab.clients.networks, f"t{host + 1}", host + 1)
    other.up()
    run([*other.enter(), sys.executable, "-c", GUESS, gateway.public])


def crash(gateway: Gateway, release: str, address: str) -> None:
    """A worker dies of SIGSEGV."""
    tool = [f"/var/lib/ocgate/releases/{release}/bin/occtl", "-s", f"/run/ocgate/{RELEASES[release]}/occtl.sock"]
    users = parse_occtl(gateway.run([*tool, "-n", "-j", "show", "users"]))
    worker = next(user["ID"] for user in users if user["Remote IP"] == address)
    gateway.run(["kill", "-SEGV", str(worker)])


def record(lab: Lab, gateway: Gateway, door: Door, release: str) -> None:
    slot = RELEASES[release]
    if slot != 1:
        started(door, lab.releases[release], slot)
        door.ask("shift", weights={str(slot): 100}, seconds=600)
    # One process in the gateway's log at a time.
    lab.clients.all[0].vpn.stop()
    one, other = (guests.sign_in(lab, gateway, 200 + 4 * slot + number) for number in (0, 1))
    note(gateway, release, "1")
    other.signal(signal.SIGUSR2)
    wait_until(lambda: "reconnect" in [what for _, what in other.events()], seconds=30, what="The reconnect")
    note(gateway, release, "2")
    guess(lab, gateway, 202 + 4 * slot)
    crash(gateway, release, one.corner.address)
    wait_until(lambda: "reconnect" in [what for _, what in one.events()], seconds=60, what="The return after the crash")
    other.stop()
    time.sleep(1)
    note(gateway, release, "3")
    # From another address while ocserv still holds the connection from the old one.
    one.corner.move(200 + 4 * slot + 40)
    before = len(one.events())
    one.signal(signal.SIGUSR2)
    wait_until(lambda: len(one.events()) > before + 1, seconds=60, what="The return from elsewhere")
    time.sleep(1)
    note(gateway, release, "4")
    one.stop()


def main() -> int:
    host_files.OCSERV = host_files.OCSERV.replace("max-ban-score = 0\n", BANS)
    with Lab(gateways=1, users=1, say=print) as lab, Door(lab.gateways[0]) as door:
        for release in RELEASES:
            print(release, flush=True)
            record(lab, lab.gateways[0], door, release)
    return 0


if __name__ == "__main__":
    sys.exit(main())
