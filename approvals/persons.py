"""Which accounts are one person: they share an identity, or an e-mail address. Reads; `note` writes identities."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models.functions import Lower

from approvals import audit
from approvals.models import Actor, Identity, User

ROUNDS = 5  # of following one link to the next


def same(user_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """Each account → all accounts of that person, itself among them."""
    links = _links(user_ids)
    found = {}
    for user_id in user_ids:
        mine = {user_id}
        for _ in range(ROUNDS):
            more = mine.union(*(link for link in links if link & mine))
            if more == mine:
                break
            mine = more
        found[user_id] = frozenset(mine)
    return found


def behind(values: Iterable[str]) -> frozenset[int]:
    """The accounts that are known by one of these identities."""
    wanted = set(values)
    if not wanted:
        return frozenset()
    return frozenset(Identity.objects.filter(value__in=wanted).values_list("user_id", flat=True))


def note(user: User, value: str, *, by: User, actor: Actor, now: datetime) -> bool:
    """Write down by what somebody is known; False when it was known. Inside a transaction."""
    _, made = Identity.objects.get_or_create(user=user, value=value, defaults={"made_by": by, "made_at": now})
    if made:
        about = {"of": user.username, "identity": value}
        audit.append("identity.noted", subject=f"user:{user.pk}", actor=actor, at=now, details=about)
    return made


def _links(user_ids: Collection[int]) -> list[set[int]]:
    """Sets of accounts that are one person, as far as these accounts lead."""
    known, links = set(user_ids), []
    for _ in range(ROUNDS):
        links = [*_shared_identities(known), *_shared_addresses(known)]
        more = known.union(*links)
        if more == known:
            break
        known = more
    return links


def _shared_identities(user_ids: Collection[int]) -> list[set[int]]:
    values = set(Identity.objects.filter(user__in=user_ids).values_list("value", flat=True))
    if not values:
        return []
    links: dict[str, set[int]] = {}
    for value, user_id in Identity.objects.filter(value__in=values).values_list("value", "user_id"):
        links.setdefault(value, set()).add(user_id)
    return list(links.values())


def _shared_addresses(user_ids: Collection[int]) -> list[set[int]]:
    rows = User.objects.exclude(email="").annotate(address=Lower("email"))
    addresses = set(rows.filter(pk__in=user_ids).values_list("address", flat=True))
    if not addresses:
        return []
    links: dict[str, set[int]] = {}
    for address, user_id in rows.filter(address__in=addresses).values_list("address", "pk"):
        links.setdefault(address, set()).add(user_id)
    return list(links.values())
