"""Which gateway, slot and release a complaint is about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from fleet.ports import Session


@dataclass(frozen=True)
class Host:
    """A gateway by the names that complaints may know it by."""

    id: int
    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Served:
    """A slot with its release and the users who were on it then."""

    slot: int
    release: str
    sessions: float


@dataclass(frozen=True)
class Place:
    gateway: int
    slot: int | None = None


def plain(address: str) -> str:
    """An address as it is compared: without port and brackets, IPv6 in one form, names in small letters."""
    text = address.strip().lower()
    if text.startswith("[") and "]" in text:
        text = text[1 : text.index("]")]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def named(told: str, hosts: Iterable[Host]) -> int | None:
    """The gateway of this name or address; None where none or several have it."""
    wanted = plain(told)
    if not wanted:
        return None
    found = {host.id for host in hosts if wanted == host.name.lower() or wanted in map(plain, host.addresses)}
    return found.pop() if len(found) == 1 else None


def on_session(user: str, address: str, sessions: Mapping[int, Sequence[Session]]) -> Place | None:
    """Where the user is signed in now: by his name, else by his address; None where that is not one place.

    `sessions`: of each gateway. One who is on two gateways is told apart by his address.
    """
    every = [(gateway, session) for gateway, here in sessions.items() for session in here]
    his = [(gateway, one) for gateway, one in every if user and one.user.lower() == user.lower()]
    where = plain(address)
    there = [
        (gateway, one) for gateway, one in his or every if where and where in (plain(one.remote), plain(one.vpn_ip))
    ]
    places = {(gateway, one.slot) for gateway, one in there or his}
    if len(places) == 1:
        return Place(*places.pop())
    gateways = {gateway for gateway, _ in places}
    return Place(gateways.pop()) if len(gateways) == 1 else None


def served(slot: int | None, then: Sequence[Served]) -> tuple[int | None, str]:
    """Slot and release at the time: of the session's slot, else of the only one that had users."""
    if slot is not None:
        return slot, next((one.release for one in then if one.slot == slot), "")
    used = [one for one in then if one.sessions > 0]
    return (used[0].slot, used[0].release) if len(used) == 1 else (None, "")
