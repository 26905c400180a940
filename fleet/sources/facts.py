"""How a gateway stands by its probe hosts, and by Prometheus: the same facts as by the collector. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.metrics.standing import Fact, Standing
from fleet.phrases import count, duration, listed

PROBES_LATE = 5  # intervals without a probe
PROBES_LEAST = 360.0  # seconds; one that was refused is tried again after 5.5 min, so that no ban follows
PROMETHEUS_LATE = 120.0  # seconds without an answer, or without a series of this gateway
NO_TCP = frozenset({"down", "closed"})  # of fleet.probes.verdict.Outcome
GOOD = frozenset({"ok", "form"})


@dataclass(frozen=True)
class HostSeen:
    """What one probe host found last at one gateway. `at`: epoch seconds, 0 for never."""

    name: str
    at: float = 0.0
    outcome: str = ""
    failures: int = 0  # in a row


def by_probes(gateway: str, hosts: Sequence[HostSeen], *, every: float, now: float, why_not: str = "") -> Standing:
    """`every`: the interval between two probes; `why_not`: why nobody probes it, "" where somebody should."""
    if why_not or not hosts:
        say = why_not or f"No probe host looks at the pool of {gateway}: nothing is known from outside."
        return Standing(Fact.COLLECTOR_DOWN, say, evidence=False)
    late = max(PROBES_LEAST, PROBES_LATE * every)
    fresh = [host for host in hosts if host.at and now - host.at <= late]
    if not fresh:
        last = max(host.at for host in hosts)
        since = f"for {duration(now - last)}" if last else "yet"
        say = f"No probe host has come to {gateway} {since}. This says nothing about the gateway."
        return Standing(Fact.COLLECTOR_DOWN, say, evidence=False)
    told = [host for host in fresh if host.outcome not in ("banned", "host", "more")]
    banned = sorted(host.name for host in fresh if host.outcome == "banned")
    if banned and not told:
        say = f"{gateway} has banned {listed(banned)}: what is found from outside says nothing about users."
        return Standing(Fact.PROBE_BANNED, f"{say} Unban it, or wait 5 min.", evidence=False)
    if not told:
        say = f"The probe hosts of {gateway} can't probe themselves. This says nothing about the gateway."
        return Standing(Fact.COLLECTOR_DOWN, say, evidence=False)
    if all(host.outcome in NO_TCP for host in told):
        names = listed(sorted(host.name for host in told))
        return Standing(Fact.GATEWAY_DOWN, f"{gateway} lets nobody connect, as seen by {names}.", evidence=True)
    good = sum(host.outcome in GOOD for host in told)
    say = f"{good} of {count(len(told), 'probe host')} signed in at {gateway} last."
    return Standing(Fact.PROBE_BANNED if banned else Fact.FINE, say, evidence=True)


def failing(hosts: Sequence[HostSeen], *, every: float, now: float) -> float | None:
    """Of the hosts that have something to say how many in percent failed twice in a row or more; None: none has."""
    late = max(PROBES_LEAST, PROBES_LATE * every)
    told = [host for host in hosts if host.at and now - host.at <= late]
    told = [host for host in told if host.outcome not in ("banned", "host", "more")]
    return 100 * sum(host.failures >= 2 for host in told) / len(told) if told else None


@dataclass(frozen=True)
class ServerSeen:
    """What a pool's Prometheus says of one gateway. Times are epoch seconds, 0 for never."""

    name: str  # the source's
    answered_at: float = 0.0
    say: str = ""
    told_at: float = 0.0  # a series of this gateway
    sessions: float | None = None
    used_at: float = 0.0  # when somebody was on it or signed in


def by_prometheus(gateway: str, seen: ServerSeen | None, *, quiet_after: float, now: float) -> Standing:
    """`quiet_after`: seconds without users after which there is no traffic."""
    if seen is None:
        say = f"No Prometheus is named for the pool of {gateway}."
        return Standing(Fact.COLLECTOR_DOWN, say, evidence=False)
    if now - seen.answered_at > PROMETHEUS_LATE:
        since = f"for {duration(now - seen.answered_at)}" if seen.answered_at else "yet"
        say = f"Prometheus ({seen.name}) has not answered {since}. {seen.say}".rstrip()
        return Standing(Fact.COLLECTOR_DOWN, f"{say} This says nothing about the gateway.", evidence=False)
    if now - seen.told_at > PROMETHEUS_LATE:
        since = f"for {duration(now - seen.told_at)}" if seen.told_at else "yet"
        say = f"Prometheus has no numbers of {gateway} {since}: its exporter does not answer."
        return Standing(Fact.GATEWAY_DOWN, say, evidence=False)
    if seen.sessions is not None and now - seen.used_at > quiet_after:
        say = f"Nobody is on {gateway} and nobody signs in, says Prometheus: its numbers are no evidence."
        return Standing(Fact.NO_TRAFFIC, say, evidence=False)
    return Standing(Fact.FINE, f"Prometheus told of {gateway} {duration(now - seen.told_at)} ago.", evidence=True)
