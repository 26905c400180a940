"""What an upgrade does to users without this product: the service is restarted."""

from __future__ import annotations

import time
from typing import Any

from lab.demo import watch
from lab.fleet import Lab

AFTER = 30.0  # seconds that the users get to come back by themselves


def restart(lab: Lab) -> dict[str, Any]:
    """Restart every ocserv of the last gateway, as a package upgrade does; its users' sessions before and after."""
    gateway = lab.gateways[-1]
    before = watch.users(lab)
    there = {entry for entry in before.sessions if entry[0] == gateway.name}
    slots = sorted({session["slot"] for session in gateway.sessions()})
    gateway.run(["systemctl", "restart", *(f"ocgate-slot@{slot}.service" for slot in slots)])
    time.sleep(AFTER)
    after = watch.users(lab)
    return {
        "sessions_before": len(there),
        "sessions_kept": len(there & after.sessions),
        "packets_sent": after.sent - before.sent,
        "packets_lost": after.lost - before.lost,
    }
