"""What each version of ocserv knows, as data: read from its parsers and from the scope comments in its sources.

One option a line: name, kind, scope, and words for the rest. Kinds: `flag`, `number` (a whole number that is not
negative, or LOW-HIGH), `file` and `folder` (must exist), `script` (a program that runs as root), `command` (a line that
does), `secret`, `addresses`, `text`, or the words that are allowed, with bars between. Scopes: `global`, `vhost`, or
`user` (in a user's or group's own file too). `restart`: not read again by a reload. `many`: may stand more than once.
`+1.2.0`: since that version; `-1.5.0`: gone with it.
"""

from __future__ import annotations

MEASURED = ("1.1.6", "1.2.4", "1.3.0", "1.4.2", "1.5.0")
"""Versions whose parser was asked for its names. Between them the change logs say which version brought an option."""

TABLE = """
acct text vhost restart
always-require-cert flag vhost
append-routes flag vhost
auth text vhost restart many
auth-timeout number global
auto-select-group flag vhost
ban-points-connection number global
ban-points-kkdcp number global
ban-points-wrong-password number global
ban-reset-time number global
ban-time number global +1.4.1
banner text vhost
ca-cert file vhost restart
camouflage flag vhost +1.2.0
camouflage_realm text vhost +1.2.0
camouflage_secret secret vhost +1.2.0
cert-group-oid text vhost
cert-user-oid text vhost
cgroup text user -1.5.0
chroot-dir folder global restart
cisco-client-compat flag vhost
cisco-svc-client-compat flag vhost +1.2.0
client-bypass-protocol flag user
compression flag vhost
compression-algo-priority text global
config-per-group folder vhost
config-per-user folder vhost
connect-script script global
cookie-timeout number vhost
crl file vhost
custom-header text vhost many
debug-no-secmod-stats flag global restart
default-domain text vhost
default-group-config file vhost
default-select-group text vhost
default-user-config file vhost
deny-roaming flag user
device text global
dh-params file vhost restart
disconnect-script script global
dns addresses user many
dpd number user
dtls-legacy flag vhost
dtls-psk flag global
enable-auth text vhost restart many
expose-iroutes flag vhost
host-update-script script global
idle-timeout number user
included-http-headers text vhost many +1.2.0
iroute text user many
ipv4-dns addresses user many
ipv4-nbns addresses user many
ipv4-netmask text user
ipv4-network text user
ipv6-dns addresses user many
ipv6-nbns addresses user many
ipv6-network text user
ipv6-prefix number:0-128 user
ipv6-subnet-prefix number:1-128 user
isolate-workers flag global
keepalive number user
key-pin secret vhost restart
kkdcp text vhost many
limit-worker-memory text global +1.5.0
listen-clear-file text global restart
listen-host text global restart
listen-host-is-dyndns flag vhost
listen-netns text global restart
listen-proxy-proto flag global
log-level number:0-9 global restart
match-tls-dtls-ciphers flag vhost
max-ban-score number global
max-clients number global
max-same-clients number user
min-reauth-time number global
mobile-dpd number user
mobile-idle-timeout number user
mtu number:0-65535 user
nbns addresses user many
net-priority text user
no-compress-limit number vhost
no-route text user many
no-udp flag user +1.4.2
occtl-socket-file text global restart
ocsp-response file vhost
output-buffer number vhost
persistent-cookies flag vhost
pid-file text global restart
pin-file file vhost restart
ping-leases flag global
pre-login-banner text vhost
predictable-ips flag vhost
proxy-url text vhost
rate-limit-ms number global
rekey-method ssl|new-tunnel vhost
rekey-time number vhost
restrict-user-to-ports text user
restrict-user-to-routes flag user
route text user many
route-add-cmd command global
route-del-cmd command global
run-as-group text global restart
run-as-user text global restart
rx-data-per-sec number user
sec-mod-db-cleanup-time number global +1.5.0
sec-mod-scale number global restart
select-group text vhost many
select-group-by-url flag vhost +1.3.0
server-cert file vhost restart many
server-drain-ms number global
server-key file vhost restart many
server-stats-reset-time number global restart
session-control flag vhost
session-timeout number user
socket-file text global restart
split-dns text user many
srk-pin secret vhost restart
srk-pin-file file vhost restart
stats-report-time number user
switch-to-tcp-timeout number vhost
syslog-facility text global restart +1.5.0
tcp-port number:1-65535 global restart
tls-priorities text vhost
try-mtu-discovery flag global
tunnel-all-dns flag user
tx-data-per-sec number user
udp-listen-host text global restart
udp-port number:0-65535 global restart
use-dbus flag global
use-occtl flag global
use-seccomp flag global
use-utmp flag global
user-profile text user
"""

DEFAULTS = (
    # Option, compiled default before and since the version (ocserv 1.4.2 made them what its sample says).
    ("auth-timeout", "1800", "240", "1.4.2"),
    ("ban-reset-time", "300", "1200", "1.4.2"),
    ("cookie-timeout", "120", "300", "1.4.2"),
    ("dpd", "60", "90", "1.4.2"),
    ("keepalive", "3600", "32400", "1.4.2"),
    ("max-ban-score", "30", "80", "1.4.2"),
    ("mobile-dpd", "the same as dpd", "1800", "1.4.2"),
    ("rekey-time", "86400", "172800", "1.4.2"),
    ("switch-to-tcp-timeout", "0", "25", "1.4.2"),
)

DEPRECATED = {
    "always-require-cert": "cisco-client-compat",
    "min-reauth-time": "ban-time",
    "use-dbus": "use-occtl",
    "use-seccomp": "isolate-workers",
    "session-control": "",
}
"""Old name → its new one; "" where nothing took its place. ocserv accepts them with a note."""
