"""One option of a configuration set to another value, the rest left byte for byte. Pure."""

from __future__ import annotations

import re

from approvals.errors import Refused

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}")
_SECTION = re.compile(r"^[ \t]*\[", re.MULTILINE)


def with_option(text: str, name: str, value: str) -> str:
    """Return the text with the global option `name` at `value`: its line is replaced, or one is added.

    Refused for what is no option's name, for a value of several lines, and for an option that stands there twice.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f"{name[:60]!r} is no name of an option; they look like idle-timeout.")
    if not value.strip() or len(value) > 1000 or not value.isprintable():
        raise Refused("The value must be one line of at most 1,000 characters, and not empty.")
    section = _SECTION.search(text)
    head, rest = (text[: section.start()], text[section.start() :]) if section else (text, "")
    lines = re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*=.*$", re.MULTILINE)
    found = lines.findall(head)
    if len(found) > 1:
        raise Refused(f"{name} stands in the configuration {len(found)} times. Bring the whole file instead.")
    line = f"{name} = {value.strip()}"
    if found:
        return lines.sub(lambda _: line, head) + rest
    return f"{head}{'' if head.endswith(chr(10)) or not head else chr(10)}{line}\n{rest}"
