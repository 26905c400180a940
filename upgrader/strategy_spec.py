"""A strategy as values: how a release spreads. What reads it is strategy.py. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["canary", "rolling", "blue_green"]
Take = Literal["count", "percent", "labels", "names", "rest"]
Who = Literal["hand", "machine"]
Compare = Literal["best", "slots", "control", "past"]
Source = Literal["gateway", "probes", "prometheus"]
KINDS: tuple[Kind, ...] = ("canary", "rolling", "blue_green")
COMPARES: tuple[Compare, ...] = ("best", "slots", "control", "past")
SOURCES: tuple[Source, ...] = ("gateway", "probes", "prometheus")


class SpecError(ValueError):
    """A strategy that can't be read. `where` is the path to the field, as ("waves", 0, "count"): its line in a text."""

    def __init__(self, say: str, *where: str | int) -> None:
        super().__init__(say)
        self.where = where


@dataclass(frozen=True)
class Metric:
    """One that is compared with a baseline. Worse than that beyond chance: a person is asked, or it is a FAIL."""

    use: bool
    critical: bool  # it alone can fail a wave; it shares the one false alarm in a hundred windows with the others
    tolerated: float  # times the old slot's; equal is allowed


METRICS: Mapping[str, Metric] = {
    "logins": Metric(use=True, critical=True, tolerated=3.0),  # of users, not of probes
    "session_errors": Metric(use=True, critical=False, tolerated=3.0),
    "login_time": Metric(use=True, critical=False, tolerated=1.2),
    "handshake_time": Metric(use=True, critical=False, tolerated=1.2),
    "reconnects": Metric(use=True, critical=False, tolerated=3.0),
    "rtt": Metric(use=True, critical=False, tolerated=1.5),
    "retransmissions": Metric(use=True, critical=False, tolerated=3.0),
    "memory": Metric(use=True, critical=False, tolerated=1.5),  # a session; a new release may need more of it
    "cpu": Metric(use=True, critical=False, tolerated=2.0),  # a session; who has just come costs more than who stays
    "door_time": Metric(use=True, critical=False, tolerated=1.5),  # a handshake that ocgate makes on the gateway itself
    "auth_time": Metric(use=True, critical=False, tolerated=3.0),  # by occtl, in whole seconds: 1 and 2 may be the same
    "complaints": Metric(use=True, critical=False, tolerated=3.0),  # of users, as the NOC heard them; of sessions
    "files": Metric(use=True, critical=False, tolerated=1.5),  # open ones a session
    "outside_logins": Metric(use=True, critical=False, tolerated=3.0),  # of probe hosts
    "outside_loss": Metric(use=True, critical=False, tolerated=3.0),  # of their packets through the tunnel
    "outside_time": Metric(use=True, critical=False, tolerated=1.5),  # until they are signed in
    "outside_handshake": Metric(use=True, critical=False, tolerated=1.5),
    "outside_rtt": Metric(use=True, critical=False, tolerated=1.5),
    "outside_jitter": Metric(use=True, critical=False, tolerated=3.0),  # of ten pings: mostly noise
    "machine_cpu": Metric(use=True, critical=False, tolerated=2.0),  # by Prometheus
    "machine_memory": Metric(use=True, critical=False, tolerated=1.5),
}


@dataclass(frozen=True)
class Limits:
    login_success_min: float  # share of probe logins; equal is allowed
    min_logins: int  # fewer are no evidence
    restarts_max: int  # of the new release's processes; equal is allowed
    metrics: Mapping[str, Metric] = field(default_factory=lambda: METRICS)
    compare: Compare = "best"  # slots of one gateway, other gateways now, its own past; "best": the first there is
    sources: tuple[Source, ...] = ()  # these alone, and each must speak; none named: whatever there is


@dataclass(frozen=True)
class WaveSpec:
    """Which gateways a wave takes, and how much of their new clients. For `rolling` it is the batch that repeats."""

    title: str
    take: Take
    amount: int  # of count and percent
    weights: tuple[int, ...]  # shares of new clients in percent, one observation each, the last is 100
    labels: Mapping[str, str] = field(default_factory=dict)  # all of them must match
    names: tuple[str, ...] = ()
    observe_seconds: int | None = None  # None: the strategy's


@dataclass(frozen=True)
class Drain:
    """How an old slot ends: at `sessions_max` users or fewer, or at the deadline by what `at_deadline` says."""

    deadline_hours: float
    sessions_max: int = 0  # a gateway; so many may be cut at the end of a drain, and the approval says it
    at_deadline: Literal["ask", "extend", "cut"] = "ask"
    extend_hours: float = 0.0  # with "extend": once, then people are asked
    cut_at_most: int = 0  # a gateway, with "cut"; more than that and people are asked
    message: str = ""  # shown to those who sign in while it drains, where their client supports it


@dataclass(frozen=True)
class MaxOut:
    """Most that one rollout may have out at the same time; None: only the budgets limit it. Equal is allowed."""

    gateways: int | None = None
    percent: int | None = None  # of the plan's gateways, rounded up
    sessions: int | None = None


@dataclass(frozen=True)
class Spec:
    waves: tuple[WaveSpec, ...]
    observe_seconds: int  # 0: not observed at all; only the login probe before the shift speaks for the release
    poll_seconds: int
    trial_seconds: int  # the dead man: after so long without us the gateway goes back by itself
    at_once: int  # gateways at work at the same time in a wave
    promote: Who  # who lets the next wave start
    limits: Limits
    drain: Drain
    kind: Kind = "canary"
    shares: Who = "machine"  # who lets the next share of a wave start; "hand" is an A/B comparison
    on_fail: Literal["wave", "rollout"] = "wave"  # what a FAIL takes back
    failures_max: int = 0  # gateways that failed or don't answer, over the whole rollout; one more holds it
    max_out: MaxOut = MaxOut()
    between: tuple[str, ...] = ()  # two pools behind one balancer: the idle one gets the release, then all new users
    emergency: bool = False  # may be approved through a freeze, and is shouted about
