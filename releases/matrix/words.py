"""What verdicts and states of the matrix are called on pages."""

from __future__ import annotations

from fleet.words import Word

VERDICT: dict[str, Word] = {
    "green": Word("Green", "done", "circle-check"),
    "red": Word("Red", "failed", "circle-x"),
    "unclear": Word("Unclear", "held", "circle-question-mark"),
    "": Word("Not run", "planned", "circle-dashed"),
}
RUN: dict[str, Word] = {
    "running": Word("Running", "running", "play"),
    "silent": Word("No sign of life", "unknown", "unplug"),
    "failed": Word("Could not be run", "held", "triangle-alert"),
    "done": Word("Done", "done", "check"),
}
