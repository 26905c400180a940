#!/bin/sh
# PID 1 of a gateway where systemd can't be it: brings up what the units would, then collects the dead.
mkdir -p /run/sshd
nft -f /etc/nftables.conf
/usr/sbin/sshd
[ -x /usr/lib/ocgate/ocgate ] && /usr/lib/ocgate/ocgate keep >> /var/log/ocgate-keep.log 2>&1 &
: > /run/lab-booted
while :; do
    wait
    sleep 1
done
