#!/bin/sh
# openconnect's script for the test matrix: keeps what the server pushed for the test to read, sets up IPv6 routes, which
# tunnel.sh does not know, then does what tunnel.sh does; it notes the connection last.
# shellcheck disable=SC2154  # openconnect sets the variables
if [ "$reason" = connect ]; then
    env | grep -E '^(INTERNAL_|CISCO_|TUNDEV=)' > "$LAB_EVENTS.pushed"
    ip link set dev "$TUNDEV" up mtu "${INTERNAL_IP4_MTU:-1400}"
    number=0
    while [ "$number" -lt "${CISCO_IPV6_SPLIT_INC:-0}" ]; do
        to=""
        eval "to=\$CISCO_IPV6_SPLIT_INC_${number}_ADDR/\$CISCO_IPV6_SPLIT_INC_${number}_MASKLEN"
        ip -6 route replace "$to" dev "$TUNDEV"
        number=$((number + 1))
    done
fi
# shellcheck source=lab/tunnel.sh
. "$LAB_TUNNEL"
