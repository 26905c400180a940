"""Addresses of contacts: which kinds there are, which parts may be shown, and where nothing may be sent. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "100.100.100.200/32",  # Alibaba Cloud's
        "192.0.0.192/32",  # Oracle Cloud's
        "168.63.129.16/32",  # Azure's
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS's
        "ff00::/8",
    )
)
"""Nobody may allow these: who can have a message sent there reads a machine's credentials."""


@dataclass(frozen=True)
class Kind:
    """`schemes`: of its addresses; `plugin`: module and class in apprise.plugins, none for what we send ourselves;
    `example` for the form, none for what nobody types."""

    title: str
    schemes: tuple[str, ...]
    plugin: tuple[str, str] | None
    example: str


KINDS: Mapping[str, Kind] = {
    "mail": Kind(
        "Mail",
        ("mailto", "mailtos"),
        ("email", "NotifyEmail"),
        "mailtos://USER:PASSWORD@mail.example.org?to=oncall@example.org",
    ),
    "slack": Kind("Slack", ("slack",), ("slack", "NotifySlack"), "slack://TOKEN_A/TOKEN_B/TOKEN_C/#oncall"),
    "telegram": Kind("Telegram", ("tgram",), ("telegram", "NotifyTelegram"), "tgram://BOT_TOKEN/CHAT"),
    "feishu": Kind("Feishu", ("feishu",), ("feishu", "NotifyFeishu"), "feishu://TOKEN"),
    "wecom": Kind("WeCom", ("wecombot",), ("wecombot", "NotifyWeComBot"), "wecombot://KEY"),
    "dingtalk": Kind("DingTalk", ("dingtalk",), ("dingtalk", "NotifyDingTalk"), "dingtalk://SECRET@TOKEN"),
    "ntfy": Kind("ntfy", ("ntfy", "ntfys"), ("ntfy", "NotifyNtfy"), "ntfys://TOKEN@ntfy.example.org/oncall"),
    "webhook": Kind("Webhook", ("https", "http", "jsons", "json"), None, "https://noc.example.org/hooks/vpn"),
    "push": Kind("Browser", ("push",), None, ""),
}
SCHEMES = {scheme: name for name, kind in KINDS.items() for scheme in kind.schemes}
FIXED = frozenset({"slack", "telegram", "feishu", "wecom", "dingtalk"})
"""Kinds that always speak to their maker's servers: no part of the address is a host."""
LONGEST = 1000


class BadAddress(Exception):
    """An address can't be used, said in one sentence that repeats no secret."""

    def __init__(self, say: str) -> None:
        super().__init__(say)
        self.say = say


def kind_of(url: str) -> str:
    """The kind's name. Raise BadAddress."""
    scheme, found, rest = url.strip().partition("://")
    known = ", ".join(f"{name}://" for name in sorted(SCHEMES))
    if not found or scheme.lower() not in SCHEMES:
        raise BadAddress(f"The address must begin with one of {known}.")
    if not rest or len(url) > LONGEST or any(letter.isspace() or not letter.isprintable() for letter in url.strip()):
        raise BadAddress(f"The address has nothing behind ://, has a space in it, or is longer than {LONGEST}.")
    return SCHEMES[scheme.lower()]


def hint(url: str) -> str:
    """What may be shown: its kind, and the host where it has one. Never a user, a path or a query: tokens are there."""
    kind = kind_of(url)
    if kind in FIXED:
        return f"{KINDS[kind].title}, token hidden"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise BadAddress("The address can't be read: look at its brackets and its port.") from None
    if kind == "ntfy" and not parts.path.strip("/"):
        return "ntfy, topic hidden"  # without a host of its own the topic stands there, and who knows it reads it
    return f"{KINDS[kind].title} by {host}"[:120]


def allowed_networks(text: Iterable[str]) -> tuple[Network, ...]:
    """What the setting says may be reached beyond public addresses. Raise BadAddress: then nothing is sent at all."""
    try:
        return tuple(ipaddress.ip_network(one.strip()) for one in text if one.strip())
    except ValueError as wrong:
        raise BadAddress(f"HANDOVER_ALERTS_TO can't be read: {wrong}.") from None


def why_not(address: str, allowed: Iterable[Network]) -> str:
    """Why nothing may be sent to this IP address; "" where it may."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"{address} is no IP address."
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if any(ip in network for network in NEVER):
        return f"{ip} is link-local, a cloud's metadata or no single machine: nothing is ever sent there."
    if ip.is_global or any(ip in network for network in allowed):
        return ""
    return f"{ip} is a private address. Who runs this dashboard may allow it: HANDOVER_ALERTS_TO={ip}."


SECRET = re.compile(r"[^/:@?&=#,+.]{6,}")


def masked(answer: str, url: str) -> str:
    """An answer without anything that stood in the address: some servers repeat the token that they refuse."""
    secrets = {part for part in SECRET.findall(unquote(url.partition("://")[2]))}
    host = hint(url).rpartition(" ")[2]
    for secret in sorted(secrets - set(host.split(".")), key=len, reverse=True):
        answer = answer.replace(secret, "…")
    return answer
