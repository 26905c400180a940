#!/bin/sh
# PID 1 of a gateway's new namespaces: lays out a file system of its own over the host's, then becomes systemd, or the script $plain.
# The host's files are the read-only lower layer; what the gateway writes goes to $home/upper and outlives a reboot.
set -eu
home=$1 name=$2 plain=$3
root=$home/root
# Read now: a checkout below /tmp can't be seen any more once the gateway has a /tmp of its own.
init=
[ -z "$plain" ] || init=$(cat "$plain")
mkdir -p "$home/upper" "$home/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$home/upper,workdir=$home/work" "$root"
mount -t proc -o nosuid,noexec,nodev proc "$root/proc"
mount -t sysfs -o ro,nosuid,noexec,nodev sysfs "$root/sys"
[ -n "$plain" ] || mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,size=64m tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=64m tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,nosuid,size=64k tmpfs "$root/dev"
for device in null zero full random urandom tty net/tun; do
    mkdir -p "$(dirname "$root/dev/$device")"
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=16m tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
: > "$root/dev/console"
mount --bind "$home/console" "$root/dev/console"
mkdir -p "$root/var/lib/ocgate"
mount --bind "$home/ocgate" "$root/var/lib/ocgate"
# The kernel's boot id is the host's: a gateway that restarts gets a new one, as systemd-nspawn does it.
cat /proc/sys/kernel/random/uuid > "$root/run/boot-id"
mount --bind "$root/run/boot-id" "$root/proc/sys/kernel/random/boot_id"
hostname "$name"
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
cd "$root"
mkdir -p .host
pivot_root . .host
umount -l .host
if [ -n "$init" ]; then
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        sh -c "$init" </dev/null >/dev/console 2>&1
fi
exec env -i container=handover-lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal </dev/null >/dev/console 2>&1
