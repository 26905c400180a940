"""May this release go where it is wanted? Pure: the reason why not out, "" is yes. A missing policy says no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

RANK = ("candidate", "staging", "production")
"""A pool takes the releases of its own channel and of those after it."""

PARTS = ("static", "functional", "stress")
"""Of the test matrix."""


@dataclass(frozen=True)
class Policy:
    """What a channel asks of a release."""

    channel: str
    threshold: int  # distinct signers
    group: str  # of which group; "" is any
    max_age_days: int  # of a signature; 0 is any
    matrix: tuple[str, ...] = ()  # the parts that must be green to enter


@dataclass(frozen=True)
class Vouched:
    """One signature of a release, verified a moment ago."""

    identity: str
    who: str
    group: str
    signed_at: datetime | None
    bad: str = ""  # why it does not count any more, as a sentence


@dataclass(frozen=True)
class Seen:
    """What a policy asks about a release."""

    name: str
    channel: str
    yanked: str  # the reason; "" while it is ready
    vouched: Sequence[Vouched]


def next_channel(channel: str) -> str:
    """Where a release of this channel is passed on to; "" after the last, and for what is no channel."""
    place = RANK.index(channel) + 1 if channel in RANK else len(RANK)
    return RANK[place] if place < len(RANK) else ""


def why_not(seen: Seen, policy: Policy | None, *, channel: str, floor: int, now: datetime) -> str:
    """Why the release may not run on a pool of this channel. `floor`: the least threshold, whatever a policy says."""
    if seen.yanked:
        return f"{seen.name} was withdrawn: {seen.yanked.rstrip('.')}. Choose another release."
    if channel not in RANK or seen.channel not in RANK:
        return (
            f"{seen.name} is in the channel {seen.channel!r} and this pool takes {channel!r}; one of them is unknown."
        )
    if RANK.index(seen.channel) < RANK.index(channel):
        return f"{seen.name} is in the channel {seen.channel}; this pool takes releases of {channel}. Pass it on first."
    return why_not_signed(seen, policy, channel=channel, floor=floor, now=now)


def why_not_signed(seen: Seen, policy: Policy | None, *, channel: str, floor: int, now: datetime) -> str:
    """Why the signatures are not enough for this channel."""
    if policy is None:
        return f"The channel {channel} has no policy, so nothing may go there. Propose one at Signers."
    if floor < 1 or policy.threshold < 1:
        return f"The channel {channel} asks for {min(floor, policy.threshold)} signers, so nothing can be trusted."
    found = {one.identity: _why_out(one, policy, now) for one in seen.vouched}
    good, needed = [who for who, why in found.items() if not why], max(floor, policy.threshold)
    if len(good) >= needed:
        return ""
    out = "; ".join(why for why in found.values() if why)
    group = f" of the group {policy.group}" if policy.group else ""
    return (
        f"{seen.name} has signatures of {len(good)} signers{group} that count today, but the channel {channel} needs "
        f"{needed}{f' ({out})' if out else ''}. Have it signed by more of them under a new name."
    )


def weaker(old: Policy | None, new: Policy) -> list[str]:
    """What the new policy no longer asks, in words; empty when it asks at least what the old one did."""
    if old is None:
        return ["until now nothing may go there at all"]
    found = []
    if new.threshold < old.threshold:
        found.append(f"{new.threshold} instead of {old.threshold} signers")
    if old.group and new.group != old.group:
        found.append(f"signers of {new.group or 'any group'} instead of {old.group}")
    if old.max_age_days and not 0 < new.max_age_days <= old.max_age_days:
        found.append(f"signatures {f'up to {new.max_age_days} days' if new.max_age_days else 'of any age'} old")
    if gone := [part for part in old.matrix if part not in new.matrix]:
        found.append(f"no longer the {', '.join(gone)} tests")
    return found


def _why_out(one: Vouched, policy: Policy, now: datetime) -> str:
    if one.bad:
        return one.bad.rstrip(".")
    if policy.group and one.group != policy.group:
        return f"{one.who} is of the group {one.group}"
    if not policy.max_age_days:
        return ""
    if one.signed_at is None:
        return f"the signature of {one.who} does not say when it was made"
    if now - one.signed_at > timedelta(days=policy.max_age_days):
        return f"{one.who} signed {(now - one.signed_at).days} days ago, {policy.max_age_days} are allowed"
    return ""
