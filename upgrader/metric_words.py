"""What each metric's numbers are called in a verdict's sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from upgrader.analysis.rates import Compared, Counted

MIB = 1024.0 * 1024.0
SHARES: Mapping[str, str] = {
    "logins": "of users' logins failed",
    "session_errors": "of sessions ended in an error",
    "complaints": "of sessions brought a complaint",
    "outside_logins": "of sign-ins from outside failed",
    "outside_loss": "of packets through the tunnel were lost",
}


@dataclass(frozen=True)
class Level:
    """A metric of which each look has a size. `say` has places for both sizes and for where they were measured."""

    say: str
    unit: str
    scale: float = 1.0  # what it is multiplied by before a person reads it
    form: str = "{:,.0f}"

    def said(self, value: float) -> str:
        return self.form.format(self.scale * value)


LEVELS: Mapping[str, Level] = {
    "login_time": Level("A login takes {} ms on {}, {} ms on {}", "ms"),
    "handshake_time": Level("A handshake takes {} ms on {}, {} ms on {}", "ms"),
    "door_time": Level("A handshake on the gateway itself takes {} ms on {}, {} ms on {}", "ms", form="{:,.1f}"),
    "auth_time": Level("A sign-in takes {} s on {}, {} s on {}, as ocserv counts", "s", form="{:,.1f}"),
    "rtt": Level("A round trip to users takes {} ms on {}, {} ms on {}", "ms"),
    "retransmissions": Level(
        "{} % of packets to users are sent again on {}, {} % on {}", "share", scale=100.0, form="{:.2f}"
    ),
    "memory": Level("A session takes {} MiB on {}, {} MiB on {}", "bytes", scale=1 / MIB, form="{:.1f}"),
    "files": Level("A session takes {} open files on {}, {} on {}", "files", form="{:,.1f}"),
    "outside_time": Level("Signing in from outside takes {} ms on {}, {} ms on {}", "ms"),
    "outside_handshake": Level("TLS from outside takes {} ms on {}, {} ms on {}", "ms"),
    "outside_rtt": Level("A round trip through the tunnel takes {} ms on {}, {} ms on {}", "ms", form="{:,.1f}"),
    "outside_jitter": Level("Jitter in the tunnel is {} ms on {}, {} ms on {}", "ms", form="{:,.1f}"),
    "machine_cpu": Level("The machine uses {} % of its CPU on {}, {} % on {}", "share", scale=100.0, form="{:.1f}"),
    "machine_memory": Level(
        "The machine uses {} % of its memory on {}, {} % on {}", "share", scale=100.0, form="{:.1f}"
    ),
    "cpu": Level("A session takes {} % of a core on {}, {} % on {}", "cores", scale=100.0, form="{:.2f}"),
}


def rate_say(name: str, canary: Counted, found: Compared, where: tuple[str, str]) -> str:
    """Both sides of a rate in numbers. `where`: what the canary and the baseline are called."""
    if name == "reconnects":
        # Of these the tries are minutes of users.
        hourly = [f"{60 * rate:.1f} times an hour" for rate in (canary.rate, found.rate)]
        say = f"A user reconnects {hourly[0]} on {where[0]}, {hourly[1]} on {where[1]}"
        return f"{say} ({canary.tried / 60:,.1f} and {found.tried / 60:,.1f} hours of users)"
    say = f"{share(canary.rate)} {SHARES[name]} on {where[0]}, {share(found.rate)} on {where[1]}"
    return f"{say} ({canary.tried:,.0f} and {found.tried:,.0f} tries)"


def share(rate: float) -> str:
    """A rate in percent, with the digits that a person needs."""
    return f"{100 * rate:.1f} %" if rate < 0.1 else f"{100 * rate:.0f} %"
