"""The words for states: one word, one tone, one icon each, the same on every page. Pure.

A tone is a colour of tokens.css; an icon is a file of static/vendor/lucide-*.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    say: str
    tone: str
    icon: str


UNKNOWN = Word("Unknown", "unknown", "circle-question-mark")

GATEWAY = {
    "enrolled": Word("In service", "done", "circle-check"),
    "unreachable": Word("Unreachable", "failed", "unplug"),
    "quarantined": Word("Quarantined", "failed", "ban"),
    "proposed": Word("Waits for a second person", "waiting", "hourglass"),
    "left": Word("Left the fleet", "planned", "log-out"),
}

SLOT = {
    "idle": Word("Idle", "planned", "circle-dashed"),
    "starting": Word("Starting", "running", "play"),
    "serving": Word("Serving", "done", "circle-check"),
    "draining": Word("Draining", "running", "droplets"),
    "failed": Word("Failed", "failed", "circle-x"),
    "adopted": Word("Serving, adopted", "done", "circle-check"),
}
