"""What a rule can be about: one number of one gateway over a window of time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleet.phrases import duration, sentence

MIB = 1024 * 1024
NEVER = 7 * 24 * 3600.0
"""Seconds that stand for a gateway that the collector has never asked."""


@dataclass(frozen=True)
class Sums:
    """One gateway's readings over `window` seconds. `counts`: sums; `means` and `most`: of what was felt.

    None: nothing told it. `users`: mean of all slots together; `least`: a share is at least of so many.
    """

    window: float
    least: float
    users: float | None
    counts: Mapping[str, float | None]
    means: Mapping[str, float | None]
    most: Mapping[str, float | None]


Value = Callable[[Sums], float | None]


@dataclass(frozen=True)
class Metric:
    """`says`: what a rule on it found; {limit} is "more than 10 %", {plain} the same without the unit. `any_says`: the
    same where the limit is none at all, and nothing is allowed.
    """

    title: str
    unit: str
    says: str
    value: Value | None = None  # None: it is a fact about the gateway (fleet.alarms.measure.facts)
    counted: tuple[str, ...] = ()  # columns without which nothing can be judged
    whole: bool = False
    any_says: str = ""
    least_of: str = ""  # of what a share is at least so many; "" for what is no share

    def said(self, value: float) -> str:
        """Return "12.5 %", "3 ms", "4"; whole seconds as a length of time."""
        if self.unit == "s" and self.whole:
            return "never asked" if value == NEVER else duration(value)
        number = f"{value:,.0f}" if self.whole or value == int(value) else f"{value:,.1f}"
        return f"{number} {self.unit}".strip()

    def found(self, limit: float, *, above: bool) -> str:
        """What a rule with this limit found."""
        if above and not limit and self.any_says:
            return sentence(self.any_says).removesuffix(".")
        than, said = "more than" if above else "less than", self.said(limit)
        plain = said.removesuffix(self.unit).strip()
        return sentence(self.says.format(limit=f"{than} {said}", plain=f"{than} {plain}")).removesuffix(".")


def share(part: str, *others: str) -> Value:
    """`part` of all of these in percent, of at least `least`: two failures of two are no storm."""

    def value(sums: Sums) -> float | None:
        counts = [sums.counts[name] for name in (part, *others)]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return None
        return 100 * known[0] / max(sum(known), sums.least)

    return value


def a_minute(column: str) -> Value:
    def value(sums: Sums) -> float | None:
        count = sums.counts[column]
        return None if count is None else 60 * count / sums.window

    return value


def a_user(column: str) -> Value:
    """Of 100 users, of whom there are at least `least`."""

    def value(sums: Sums) -> float | None:
        count = sums.counts[column]
        return None if count is None or sums.users is None else 100 * count / max(sums.users, sums.least)

    return value


def counted(column: str) -> Value:
    return lambda sums: sums.counts[column]


def mean(column: str) -> Value:
    return lambda sums: sums.means[column]


def most(column: str, divisor: float = 1.0) -> Value:
    def value(sums: Sums) -> float | None:
        found = sums.most[column]
        return None if found is None else found / divisor

    return value


def cores(sums: Sums) -> float | None:
    used = sums.counts["cpu_seconds"]
    return None if used is None else 100 * used / sums.window


def lost(sums: Sums) -> float | None:
    sent, again = sums.counts["segments"], sums.counts["retransmitted"]
    return None if sent is None or again is None else 100 * again / max(sent, sums.least)


METRICS: Mapping[str, Metric] = {
    "login_failures": Metric(
        "Sign-ins that fail",
        "%",
        "{limit} of sign-ins fail",
        share("failures", "logins"),
        ("failures", "logins"),
        least_of="sign-ins",
    ),
    "session_errors": Metric(
        "Errors of sessions", "a minute", "{plain} errors of sessions a minute", a_minute("errors"), ("errors",)
    ),
    "reconnects": Metric(
        "Reconnects",
        "of 100 users",
        "{plain} of 100 users reconnect",
        a_user("reconnects"),
        ("reconnects",),
        least_of="users",
    ),
    "handshake": Metric("TLS handshake", "ms", "a TLS handshake takes {limit}", mean("handshake_ms")),
    "login_time": Metric("Time to sign in", "s", "signing in takes {limit}", mean("auth_seconds")),
    "rtt": Metric("Round trip to users", "ms", "the round trip to users takes {limit}", mean("rtt_ms")),
    "loss": Metric(
        "Segments sent again", "%", "{limit} of segments to users are sent again", lost, least_of="segments"
    ),
    "memory": Metric("Memory of a slot", "MiB", "a slot uses {limit} of memory", most("rss_bytes", MIB), whole=True),
    "cpu": Metric("Processor", "% of a core", "an ocserv uses {limit}", cores, ("cpu_seconds",), whole=True),
    "open_files": Metric("Open files of a slot", "", "a slot has {limit} open files", most("open_files"), whole=True),
    "crashes": Metric(
        "Crashes", "", "an ocserv crashed {limit} times", counted("crashes"), ("crashes",), True, "an ocserv crashed"
    ),
    "restarts": Metric(
        "Restarts",
        "",
        "an ocserv restarted {limit} times",
        counted("restarts"),
        ("restarts",),
        True,
        "an ocserv restarted",
    ),
    "silent": Metric("Gateway silent", "s", "no answer for {limit}", whole=True),
    "slots_silent": Metric(
        "ocserv silent",
        "slots",
        "an ocserv does not answer in {limit}",
        whole=True,
        any_says="an ocserv does not answer",
    ),
    "unwatched": Metric("Collector silent", "s", "the collector has not asked for {limit}", whole=True),
    "probe_banned": Metric(
        "Probes banned", "", "{limit} of our own probes are banned", whole=True, any_says="our own probe is banned"
    ),
    "complaints": Metric("Complaints", "of 1,000 sessions", "{limit} are complained about", least_of="sessions"),
    "outside_failing": Metric(
        "Probe hosts that can’t sign in", "%", "{limit} of the probe hosts can’t sign in from outside", whole=True
    ),
    "outside_time": Metric("Sign-in from outside", "ms", "signing in from outside takes {limit}", whole=True),
    "outside_loss": Metric(
        "Loss from outside", "%", "{limit} of packets from outside are lost", least_of="packets of probe hosts"
    ),
    "machine_cpu": Metric("CPU of the machine", "%", "a machine uses {limit} of its CPU", whole=True),
    "machine_memory": Metric("Memory of the machine", "%", "a machine uses {limit} of its memory", whole=True),
    "tracked": Metric("Connections tracked", "%", "a machine tracks {limit} of the connections it can", whole=True),
    "prometheus_silent": Metric("Prometheus silent", "s", "Prometheus has not answered for {limit}", whole=True),
}
"""Name → metric. docs/alerts.md says what each means."""
