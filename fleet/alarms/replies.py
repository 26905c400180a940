"""Whether the other side's answer is a yes. Pure. Three makers say no with status 200, in the body alone, and apprise
looks at the status."""

from __future__ import annotations

import json

CODES = {"feishu": ("code", "StatusCode"), "wecom": ("errcode",), "dingtalk": ("errcode",)}
"""Kind → where its answer says 0 for yes: Feishu in one or both of two, by its version."""


def is_taken(kind: str, body: str) -> bool:
    """What `kind` means by an answer with a good status. One that can't be read is no yes."""
    names = CODES.get(kind)
    if names is None:
        return True
    try:
        told = json.loads(body)
    except ValueError:
        return False
    said = [told[name] for name in names if name in told] if isinstance(told, dict) else []
    return bool(said) and all(type(code) is int and code == 0 for code in said)
