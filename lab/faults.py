"""Bad days, on purpose: what breaks on a gateway or between it and the controller, and how it is mended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lab.commands import LabError
from lab.gateway import Gateway
from lab.host_files import new_host_key

FILLER = "/var/lib/ocgate/filler"
OCSERV_CONF = "/etc/ocserv/ocserv.conf"


@contextlib.contextmanager
def cut_off(gateway: Gateway, *, everything: bool = False) -> Iterator[None]:
    """Nothing passes between controller and gateway; with `everything` its users can't reach it either."""
    gateway.plugged(everything=everything, plugged=False)
    try:
        yield
    finally:
        gateway.plugged(everything=everything, plugged=True)


@contextlib.contextmanager
def powered_off(gateway: Gateway) -> Iterator[None]:
    """The gateway is switched off, then boots again."""
    gateway.power_off()
    try:
        yield
    finally:
        gateway.power_on()


def change_host_key(gateway: Gateway) -> str:
    """Give its SSH another host key, as a reinstallation does; the new one, "type base64"."""
    new_host_key(gateway.machine.live / "etc/ssh/ssh_host_ed25519_key", gateway.name)
    gateway.restart_ssh()
    return gateway.host_keys[0]


@contextlib.contextmanager
def disk_full(gateway: Gateway, *, leave: int = 1 << 20) -> Iterator[None]:
    """Only `leave` bytes are free under /var/lib/ocgate, a file system of its own."""
    blocks, size = map(int, gateway.run(["stat", "-f", "-c", "%a %S", "/var/lib/ocgate"]).split())
    gateway.run(["fallocate", "-l", str(max(1, blocks * size - leave)), FILLER])
    try:
        yield
    finally:
        gateway.run(["rm", "-f", FILLER])


def edit_ocserv_conf(gateway: Gateway, old: str = "dpd = 90", new: str = "dpd = 60") -> None:
    """Change a line of the operator's ocserv.conf by hand, as an operator does in the middle of a rollout."""
    path = gateway.machine.live / OCSERV_CONF.lstrip("/")
    text = path.read_text()
    if f"\n{old}\n" not in text:
        raise LabError(f"{OCSERV_CONF} of {gateway.name} has no line {old!r}.")
    path.write_text(text.replace(f"\n{old}\n", f"\n{new}\n"))


@contextlib.contextmanager
def clock_off(gateway: Gateway, seconds: int) -> Iterator[None]:
    """The wall clock of every Python program on the gateway, so ocgate's, is off by `seconds`; after a reboot too.

    The kernel has one wall clock for all namespaces (a time namespace shifts only the monotonic ones), so `time.time`
    itself is shifted: what ocgate starts from then on sees it (`serve`, not a `keep` that runs already); kernel timers
    and ocserv do not. libfaketime is no way: its 0.9.10 makes time.sleep of Python 3.11 fail with EINVAL.
    """
    gateway.run(["sh", "-c", SHIFT_CLOCK, "sh", str(seconds)])
    try:
        yield
    finally:
        gateway.run(["sh", "-c", RIGHT_CLOCK])


CUSTOM = "custom=$(/usr/bin/python3 -c \"import sysconfig; print(sysconfig.get_path('stdlib'))\")/sitecustomize.py"
SHIFT_CLOCK = f"""
set -e
{CUSTOM}
[ ! -e "$custom" ] || mv -T "$custom" "$custom.kept"
printf 'import time\\n_true = time.time\\ntime.time = lambda: _true() + (%s)\\n' "$1" > "$custom"
"""
RIGHT_CLOCK = f"""
set -e
{CUSTOM}
rm "$custom"
[ ! -e "$custom.kept" ] || mv -T "$custom.kept" "$custom"
"""


def flush_ruleset(gateway: Gateway) -> None:
    """What a host's firewall does that begins its file with `flush ruleset`."""
    gateway.run(["nft", "flush", "ruleset"])


def stop_ocserv_of(gateway: Gateway, slot: int) -> None:
    """Kill a slot's main process, as the kernel does when memory runs out."""
    gateway.run(["sh", "-c", f'kill -KILL "$(cat /run/ocgate/{slot}/ocserv.pid)"'])
