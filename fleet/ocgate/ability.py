"""Can this machine steer? nft must be there, and the kernel must take our kind of rules from us."""

from __future__ import annotations

from .config import Config
from .errors import Refused
from .run import run

# Everything that the table needs and a kernel or a container may lack. It is checked by the kernel and never loaded.
TRIED = """table inet handover_try {
  map sticky { type ipv4_addr : ipv4_addr; flags dynamic,timeout; timeout 60s; }
  map armed { type inet_service : verdict; flags timeout; }
  chain one {
    meta nfproto ipv4 meta l4proto tcp dnat ip to 198.18.0.1:4443
  }
  chain steer {
    type nat hook prerouting priority dstnat
    fib daddr type != local return
    th dport vmap @armed
    jhash ip saddr mod 100 seed 0x6f636761 vmap { 0-99 : goto one }
  }
  chain learn {
    type filter hook input priority filter
    tcp dport 4443 ct state established update @sticky { ip saddr : ip daddr }
  }
}
"""


def why_not(config: Config) -> str:
    """Why this gateway does not steer, without a full stop; "" when it does."""
    if not config.steers:
        return "it was installed with --in-place"
    return broken()


def broken() -> str:
    """Why nft can't load our rules here, without a full stop; "" when the kernel would take them."""
    if run(["nft", "--version"], timeout=3).code != 0:
        return "nft does not run here"
    done = run(["nft", "--check", "--file", "-"], timeout=5, stdin=TRIED)
    if done.code == 0:
        return ""
    lines = [line for line in done.err.splitlines() if "rror" in line or "denied" in line or "permitted" in line]
    said = (lines or [done.last_line])[0].strip().rstrip(".")
    return f"the kernel takes no nft rules from us ({said[:200]})"


def refuse_steering(config: Config) -> None:
    """Raise `no_steering` on a gateway that was installed to do without."""
    if not config.steers:
        say = f"This gateway can't steer: {why_not(config)}. A release is put in the place of another there"
        raise Refused("no_steering", f"{say} (`replace`), which cuts who is connected.")


def refuse_in_place(config: Config) -> None:
    """Raise `steers` where nobody has to be cut."""
    if config.steers:
        say = "This gateway steers: start the release in a free slot and shift new clients to it"
        raise Refused("steers", f"{say}. Nobody has to be cut.")
