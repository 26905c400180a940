"""What an upgrade, or a rollback, would change about a configuration without a word. Pure.

The same text means something else to another version: compiled defaults moved, names came and went, checks were put in.
"""

from __future__ import annotations

from typing import Callable, Iterator, List, Tuple

from . import optiondata, options
from .findings import Finding
from .options import OPTIONS, Version, version_of


def silent_changes(text: str, from_version: str, to_version: str) -> List[Finding]:
    """Findings about going from one version to another, in either direction; none for versions that can't be read."""
    old, new = version_of(from_version), version_of(to_version)
    if not old or not new or old == new:
        return []
    step = Step(text, old, new, names=(f"ocserv {from_version}", f"ocserv {to_version}"))
    return [*_defaults(step), *_names(step), *_rules(step)]


class Step:
    """From one version to another with one text."""

    def __init__(self, text: str, old: Version, new: Version, *, names: Tuple[str, str]) -> None:
        self.text, self.old, self.new = text, old, new
        self.was, self.becomes = names
        self.values = options.values(text)

    def crosses(self, version: str) -> int:
        """1 when it goes up over the version, -1 when down, 0 when not."""
        at = version_of(version)
        return (self.new >= at) - (self.old >= at)

    def one(self, name: str) -> str:
        """The last global value of an option, "" when it is not set."""
        return (self.values.get(("", name)) or [""])[-1]

    def anywhere(self, *names: str) -> bool:
        return any(name in names for _, name in self.values)


def _defaults(step: Step) -> Iterator[Finding]:
    for name, before, since, version in optiondata.DEFAULTS:
        direction = step.crosses(version)
        if not direction or step.one(name):
            continue
        was, becomes = (before, since) if direction > 0 else (since, before)
        say = f"{name} is not set: it is {was} with {step.was} and becomes {becomes} with {step.becomes}."
        yield Finding("warning", "default_changes", f"{say} Write it down to keep it.")


def _names(step: Step) -> Iterator[Finding]:
    for place in step.values:
        option = OPTIONS.get(place[1])
        if option is None:
            continue
        before, after = option.known_to(step.old), option.known_to(step.new)
        if before and not after:
            say = f"{step.becomes} does not know {options.shown(place)} and skips it: what it did ends without a word."
            yield Finding("warning", "option_lost", f"{say}{_instead(option.name)}")
        if after and not before:
            say = f"{step.was} skips {options.shown(place)}; {step.becomes} knows it, and it takes effect."
            yield Finding("warning", "option_wakes", say)


def _instead(name: str) -> str:
    hints = {
        "cgroup": " Limit the slot's unit in systemd instead.",
        "ban-time": " Write min-reauth-time beside it: all versions read that.",
    }
    return hints.get(name, "")


def _rules(step: Step) -> Iterator[Finding]:
    for version, rule in RULES:
        direction = step.crosses(version)
        if direction:
            yield from rule(step, direction > 0)


def _vhost_globals(step: Step, up: bool) -> Iterator[Finding]:
    for section, name in step.values:
        option = OPTIONS.get(name)
        if section and option is not None and option.scope == "global":
            if up:
                say = f"{step.was} ignores {name} in [{section}]; {step.becomes} refuses to start with it."
                yield Finding("error", "global_in_vhost", f"{say} Take it out.")
            else:
                yield Finding("warning", "global_in_vhost", f"{step.becomes} ignores {name} in [{section}].")


def _vhosts_inherit(step: Step, up: bool) -> Iterator[Finding]:
    for section in options.sections(step.text):
        what = "now takes from the global part" if up else "no longer takes from the global part"
        yield Finding(
            "warning", "vhost_inherits", f"With {step.becomes}, [{section}] {what} what it does not set itself."
        )


def _worker_memory(step: Step, up: bool) -> Iterator[Finding]:
    if not step.one("limit-worker-memory"):
        what = "limits the memory of each worker" if up else "does not limit the memory of workers"
        yield Finding("note", "worker_memory", f"{step.becomes} {what} unless limit-worker-memory says otherwise.")


def _session_timeout(step: Step, up: bool) -> Iterator[Finding]:
    if step.anywhere("session-timeout"):
        what = "ends sessions after session-timeout also when they reconnect" if up else "lets a reconnect go past it"
        yield Finding("note" if up else "warning", "session_timeout", f"session-timeout is set: {step.becomes} {what}.")


def _rfc822(step: Step, up: bool) -> Iterator[Finding]:
    if "rfc822name" in step.one("cert-user-oid").lower() and not up:
        say = f"cert-user-oid = SAN(rfc822name): {step.becomes} has a fault that lets the wrong user in (#694)."
        yield Finding("error", "auth_bypass", say)


def _leases(step: Step, up: bool) -> Iterator[Finding]:
    if step.one("ping-leases").lower() in ("true", "yes"):
        what = "asks for an address before it gives it out" if up else "does not ask: that was broken there"
        yield Finding("note", "ping_leases", f"ping-leases is set: {step.becomes} {what}.")


def _user_files(step: Step, up: bool) -> Iterator[Finding]:
    if step.anywhere("config-per-user", "config-per-group", "default-user-config", "default-group-config") and up:
        say = f"{step.becomes} turns a session away when its user's or group's own file can't be read or parsed."
        yield Finding("warning", "user_files", say)


Rule = Callable[[Step, bool], Iterator[Finding]]
RULES: Tuple[Tuple[str, Rule], ...] = (
    ("1.4.0", _leases),
    ("1.4.1", _session_timeout),
    ("1.4.1", _rfc822),
    ("1.4.2", _vhost_globals),
    ("1.5.0", _vhosts_inherit),
    ("1.5.0", _worker_memory),
    ("1.5.1", _user_files),
)
