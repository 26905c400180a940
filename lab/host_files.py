"""What a Debian gateway has on its disk before ocgate comes: systemd, SSH, firewall, and the operator's ocserv."""

from __future__ import annotations

import secrets
from pathlib import Path

from lab.commands import run, text
from lab.machine import Machine
from lab.networks import Addresses

# What a host enables but a gateway in namespaces cannot use, or must not: kernel settings are the host's.
MASKED = (
    "systemd-logind.service",
    "dbus.service",
    "dbus.socket",
    "getty.target",
    "console-getty.service",
    "systemd-sysctl.service",
    "systemd-modules-load.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-hwdb-update.service",
    "ldconfig.service",
    "systemd-firstboot.service",
    "systemd-sysusers.service",
    "systemd-update-done.service",
    "systemd-update-utmp.service",
    "systemd-journal-catalog-update.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "systemd-remount-fs.service",
    "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-random-seed.service",
    "timers.target",
    "modprobe@.service",
    "systemd-pstore.service",
    "initrd-switch-root.target",
    "e2scrub_reap.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-ask-password-wall.path",
)
ENABLED = ("ssh.service", "nftables.service")

SSHD_PROFILE = Path(__file__).parents[1] / "contrib" / "sshd" / "ocgate.conf"
SSHD = """# A gateway's SSH: on the management network only, with the profile that we recommend.
Port 22
ListenAddress {address}
UsePAM yes
PrintMotd no
Subsystem sftp internal-sftp
"""

PAM_SSHD = """account required pam_unix.so
session required pam_loginuid.so
session required pam_unix.so
"""

FIREWALL = """#!/usr/sbin/nft -f
# The operator's own table; ocgate's stands beside it.
table inet operator {
    chain forward {
        type filter hook forward priority filter; policy accept;
        iifname "mgmt0" drop
    }
}
"""

OCSERV = """# The operator's ocserv.conf.
auth = "plain[passwd=/etc/ocserv/passwd]"
tcp-port = 443
udp-port = 443
run-as-user = nobody
run-as-group = daemon
socket-file = /run/ocserv-socket
server-cert = /etc/ocserv/server.pem
server-key = /etc/ocserv/server.key
isolate-workers = true
max-clients = 1000
max-same-clients = 0
rate-limit-ms = 0
max-ban-score = 0
server-stats-reset-time = 604800
keepalive = 32400
dpd = 90
mobile-dpd = 1800
switch-to-tcp-timeout = 25
try-mtu-discovery = false
tls-priorities = "NORMAL:%SERVER_PRECEDENCE:%COMPAT:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-TLS1.3"
auth-timeout = 240
cookie-timeout = 300
deny-roaming = false
rekey-time = 172800
rekey-method = ssl
use-occtl = true
pid-file = /run/ocserv.pid
log-level = 2
device = vpns
predictable-ips = true
default-domain = lab.invalid
ipv4-network = {pool4}
ipv6-network = {pool6}
ipv6-subnet-prefix = 128
dns = 10.200.{index}.2
ping-leases = false
route = 10.200.{index}.0/255.255.255.252
cisco-client-compat = true
dtls-legacy = true
"""


def password_file(users: dict[str, str]) -> str:
    """ocpasswd's format, one user a line: name:group:crypt(3), SHA-256 hashes made by openssl in one call."""
    hashes = text(["openssl", "passwd", "-5", "-stdin"], stdin="\n".join(users.values()) + "\n").splitlines()
    return "".join(f"{name}:*:{hashed}\n" for name, hashed in zip(users, hashes, strict=True))


def lay_out(machine: Machine, at: Addresses) -> None:
    """Write what makes the host's files a gateway of its own: names, units, SSH with a new host key, firewall."""
    machine.write("etc/hostname", machine.name + "\n")
    machine.write("etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {machine.name}\n")
    machine.write("etc/machine-id", secrets.token_hex(16) + "\n")
    machine.write("etc/resolv.conf", "")
    machine.write("etc/fstab", "")
    machine.write("etc/nftables.conf", FIREWALL, mode=0o755)
    machine.write("etc/ssh/sshd_config", SSHD.format(address=at.management) + SSHD_PROFILE.read_text())
    machine.write("etc/pam.d/sshd", PAM_SSHD)
    machine.write("etc/systemd/journald.conf", "[Journal]\nStorage=persistent\nSystemMaxUse=32M\nAudit=no\n")
    (machine.upper / "var/log/journal").mkdir()
    units = machine.upper / "etc/systemd/system"
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    wants = units / "multi-user.target.wants"
    wants.mkdir()
    for name in ENABLED:
        (wants / name).symlink_to(f"/lib/systemd/system/{name}")
    new_host_key(machine.upper / "etc/ssh/ssh_host_ed25519_key", machine.name)


def new_host_key(path: Path, name: str) -> None:
    """Make an Ed25519 host key at `path`, replacing what is there."""
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{name}", "-f", str(path)], stdin="y\n")


def ocserv_conf(at: Addresses, slot: int) -> str:
    """The operator's ocserv.conf, with the pool of `slot` (0: his own, before ocgate)."""
    return OCSERV.format(pool4=at.pool4(slot), pool6=at.pool6(slot), index=at.index)
