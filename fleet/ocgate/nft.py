"""The text of the nftables rules, from values. Pure; `table.py` loads and reads it.

The table is that of docs/adr: the kernel learns which slot a client belongs to (`sticky`), new clients go by
`steady`, or by `trial` while the element of `armed` lives, which ends by its own timeout (the dead man).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import FrozenSet, Iterable, List, Mapping, Optional, Tuple

from .config import Config, SlotConfig

TABLE = "inet handover"
# jhash without a seed draws one at each load: a client would change sides when the weights change.
SEED = "0x6f636761"
NET6 = "ip6 saddr & ffff:ffff:ffff:ffff::"


@dataclass(frozen=True)
class Learnt:
    """What the kernel knows: client (IPv6: its /64) → (slot's address or "" for adopted, seconds left)."""

    sticky4: Mapping[str, Tuple[str, int]] = field(default_factory=dict)
    sticky6: Mapping[str, Tuple[str, int]] = field(default_factory=dict)
    adopted4: Mapping[str, int] = field(default_factory=dict)
    adopted6: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """Where new clients go: `steady` for good, `trial` for `seconds`. `distrusted` slots learn nobody."""

    steady: Mapping[int, int]
    trial: Optional[Mapping[int, int]] = None
    seconds: int = 0
    adopted: Optional[int] = None
    distrusted: FrozenSet[int] = frozenset()


def whole(config: Config, wanted: Wanted, learnt: Learnt) -> str:
    """The whole table, in place of whatever stands there, with what was learnt before."""
    lines = [f"add table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    lines += _memory(config)
    for number in sorted(config.slots):
        lines += _chain(f"slot{number}", _slot_rules(config, number, adopted=wanted.adopted == number))
    lines += _chain("steady", share_rules(wanted.steady))
    lines += _chain("trial", share_rules(wanted.trial or wanted.steady))
    lines += _chain("steer", ["type nat hook prerouting priority dstnat", *_steer_rules(config)])
    learn = learn_rules(config, adopted=wanted.adopted, distrusted=wanted.distrusted)
    lines += _chain("learn", ["type filter hook input priority filter", *learn])
    lines += _chain("reply", ["type nat hook postrouting priority srcnat", *_reply_rules(config)])
    lines.append("}")
    lines += elements(learnt)
    if wanted.trial is not None:
        lines.append(_arm(config, wanted.seconds))
    return "\n".join(lines) + "\n"


def shift(config: Config, weights: Mapping[int, int], *, seconds: int) -> List[str]:
    """Commands: send new clients by `weights` until the kernel ends it after `seconds`."""
    return [
        f"flush map {TABLE} armed",
        f"flush chain {TABLE} trial",
        *(f"add rule {TABLE} trial {rule}" for rule in share_rules(weights)),
        _arm(config, seconds),
    ]


def settle(weights: Mapping[int, int]) -> List[str]:
    """Commands: send new clients by `weights` for good and end a trial, in one transaction."""
    return [
        f"flush map {TABLE} armed",
        f"flush chain {TABLE} steady",
        *(f"add rule {TABLE} steady {rule}" for rule in share_rules(weights)),
    ]


def relearn(config: Config, *, adopted: Optional[int], distrusted: FrozenSet[int]) -> List[str]:
    """Commands: the kernel learns clients of the trusted slots only."""
    rules = learn_rules(config, adopted=adopted, distrusted=distrusted)
    return [f"flush chain {TABLE} learn", *(f"add rule {TABLE} learn {rule}" for rule in rules)]


def place(config: Config, number: int, *, adopted: bool) -> List[str]:
    """Commands: rewrite how one slot is reached (an adopted ocserv is reached untranslated)."""
    rules = _slot_rules(config, number, adopted=adopted)
    return [f"flush chain {TABLE} slot{number}", *(f"add rule {TABLE} slot{number} {rule}" for rule in rules)]


def forget(name: str, clients: List[str]) -> List[str]:
    """Commands: take `clients` out of the map or set `name`."""
    return [f"delete element {TABLE} {name} {{ {client} }}" for client in clients]


def elements(learnt: Learnt) -> List[str]:
    """Commands: add what is known of clients; a client that is known is renewed by deleting it first."""
    lines = []
    for name, known in (("sticky4", learnt.sticky4), ("sticky6", learnt.sticky6)):
        for client, (address, left) in known.items():
            lines.append(f"add element {TABLE} {name} {{ {client} timeout {max(1, left)}s : {address} }}")
    for name, accepted in (("adopted4", learnt.adopted4), ("adopted6", learnt.adopted6)):
        for client, left in accepted.items():
            lines.append(f"add element {TABLE} {name} {{ {client} timeout {max(1, left)}s }}")
    return lines


def share_rules(weights: Mapping[int, int]) -> List[str]:
    """Rules that split new clients by a hash of their address (IPv6: of their /64), always the same way."""
    going = [(slot, weight) for slot, weight in sorted(weights.items()) if weight]
    if len(going) == 1:
        return [f"goto slot{going[0][0]}"]
    start, ranges = 0, []
    for slot, weight in going:
        last = start + weight - 1
        ranges.append(f"{start}-{last} : goto slot{slot}" if last > start else f"{start} : goto slot{slot}")
        start = last + 1
    split = f"mod 100 seed {SEED} vmap {{ {', '.join(ranges)} }}"
    # @nh,64,64 is the first half of an IPv6 source address: jhash takes no masked address.
    return [f"jhash ip saddr {split}", f"meta nfproto ipv6 jhash @nh,64,64 {split}"] if ranges else []


def learn_rules(config: Config, *, adopted: Optional[int], distrusted: FrozenSet[int]) -> List[str]:
    """Rules that remember where a client's established connection ends."""
    slots = [slot for slot in config.slots.values() if slot.number not in distrusted]
    inner = f"tcp dport {config.inner_port} ct state established"
    rules = []
    if slots:
        rules.append(f"ip daddr {_set(s.ipv4 for s in slots)} {inner} update @sticky4 {{ ip saddr : ip daddr }}")
    if any(s.ipv6 for s in slots):
        rules.append(
            f"ip6 daddr {_set(s.ipv6 for s in slots if s.ipv6)} {inner} update @sticky6 {{ {NET6} : ip6 daddr }}"
        )
    if adopted is not None and adopted not in distrusted:
        outer = f"tcp dport {config.port} fib daddr type local ct state established"
        rules.append(f"{outer} ct status ! dnat update @adopted4 {{ ip saddr }}")
        rules.append(f"meta nfproto ipv6 {outer} ct status ! dnat update @adopted6 {{ {NET6} }}")
    return rules


def _memory(config: Config) -> List[str]:
    memory = f"flags dynamic,timeout; timeout {config.sticky_seconds}s; size 65536;"
    return [
        f"  map sticky4 {{ type ipv4_addr : ipv4_addr; {memory} }}",
        f"  map sticky6 {{ type ipv6_addr : ipv6_addr; {memory} }}",
        f"  set adopted4 {{ type ipv4_addr; {memory} }}",
        f"  set adopted6 {{ type ipv6_addr; {memory} }}",
        "  map armed { type inet_service : verdict; flags timeout; }",
    ]


def _slot_rules(config: Config, number: int, *, adopted: bool) -> List[str]:
    if adopted:
        return ["accept"]
    slot = config.slots[number]
    rules = [
        f"meta nfproto ipv4 meta l4proto tcp dnat ip to {slot.ipv4}:{config.inner_port}",
        f"meta nfproto ipv4 meta l4proto udp dnat ip to {slot.ipv4}",
    ]
    if slot.ipv6:
        rules.append(f"meta nfproto ipv6 meta l4proto tcp dnat ip6 to [{slot.ipv6}]:{config.inner_port}")
        rules.append(f"meta nfproto ipv6 meta l4proto udp dnat ip6 to {slot.ipv6}")
    return rules


def _steer_rules(config: Config) -> List[str]:
    return [
        # Without it the VPN users' own HTTPS through this gateway, to any port 443, would be caught.
        "fib daddr type != local return",
        "meta l4proto != { tcp, udp } return",
        f"th dport != {config.port} return",
        "ip saddr @adopted4 accept",
        f"{NET6} @adopted6 accept",
        f"meta l4proto tcp dnat ip to ip saddr map @sticky4 : {config.inner_port}",
        "meta l4proto udp dnat ip to ip saddr map @sticky4",
        f"meta l4proto tcp dnat ip6 to {NET6} map @sticky6 : {config.inner_port}",
        f"meta l4proto udp dnat ip6 to {NET6} map @sticky6",
        "th dport vmap @armed",
        "goto steady",
    ]


def _reply_rules(config: Config) -> List[str]:
    # When a UDP entry has expired and the server speaks first, the packet leaves with the slot's own address.
    rules = []
    slots: List[SlotConfig] = list(config.slots.values())
    for interface in config.out:
        if config.public4:
            rules.append(f'ip saddr {_set(s.ipv4 for s in slots)} oifname "{interface}" snat ip to {config.public4[0]}')
        if config.public6 and any(s.ipv6 for s in slots):
            six = _set(s.ipv6 for s in slots if s.ipv6)
            rules.append(f'ip6 saddr {six} oifname "{interface}" snat ip6 to {config.public6[0]}')
    return rules


def _arm(config: Config, seconds: int) -> str:
    return f"add element {TABLE} armed {{ {config.port} timeout {max(1, seconds)}s : goto trial }}"


def _set(values: Iterable[str]) -> str:
    return "{ " + ", ".join(sorted(values)) + " }"


def _chain(name: str, rules: List[str]) -> List[str]:
    return [f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"]
