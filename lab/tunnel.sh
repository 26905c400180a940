#!/bin/sh
# openconnect's script for a client that has a namespace to itself: sets up the tunnel, notes each event and its time.
# shellcheck disable=SC2154  # openconnect sets the variables
case "$reason" in
connect)
    ip link set dev "$TUNDEV" up mtu "${INTERNAL_IP4_MTU:-1400}"
    ip address replace "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
    if [ -n "${INTERNAL_IP6_NETMASK:-}" ]; then
        ip address replace "${INTERNAL_IP6_NETMASK%/*}/128" dev "$TUNDEV" nodad
    fi
    number=0
    while [ "$number" -lt "${CISCO_SPLIT_INC:-0}" ]; do
        to=""
        eval "to=\$CISCO_SPLIT_INC_${number}_ADDR/\$CISCO_SPLIT_INC_${number}_MASKLEN"
        ip route replace "$to" dev "$TUNDEV"
        number=$((number + 1))
    done
    ;;
esac
# As vpnc-script shows it to a person.
[ -z "${CISCO_BANNER:-}" ] || printf '%s banner: %s\n' "$reason" "$CISCO_BANNER"
echo "$(date +%s.%N) $reason ${INTERNAL_IP4_ADDRESS:-}" >> "$LAB_EVENTS"
