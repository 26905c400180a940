"""A strategy as people write it: YAML in, its data out, or the line and the reason why not. Pure.

Less of YAML than there is: one document of maps, lists and plain values. No anchors (a few lines of them are
gigabytes), no tags, no key twice (the last would win silently), no numbers that read otherwise than they look (015 is
13, 1:30 is 90).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from upgrader.strategy import checked_spec
from upgrader.strategy_spec import Spec, SpecError

LARGEST = 64 * 1024  # bytes
DEEPEST = 6
LONGEST = 400  # letters of a reason: it may quote what stands there
TITLE_MAX = 120
Path = tuple[str | int, ...]

_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class TextError(ValueError):
    """A text that is no strategy. `line` counts from 1; str() is the sentence for people, with the line in it."""

    def __init__(self, line: int, say: str) -> None:
        super().__init__(f"Line {line}: {say if len(say) < LONGEST else say[:LONGEST] + '…'}")
        self.line = line


@dataclass(frozen=True)
class Written:
    """What a text says."""

    title: str
    data: Mapping[str, Any]  # what checked_spec reads; without the title
    spec: Spec


def read(text: str) -> Written:
    """Return the strategy that the text writes down. Raise TextError for the first thing that is wrong."""
    lines: dict[Path, int] = {}
    data = _tree(text, lines)
    title = data.pop("title", "")
    if not isinstance(title, str) or not title.strip() or len(title) > TITLE_MAX:
        raise TextError(_line(lines, ("title",)), f"title must be a text of 1 to {TITLE_MAX} letters.")
    try:
        return Written(title.strip(), data, checked_spec(data))
    except SpecError as wrong:
        raise TextError(_line(lines, wrong.where), str(wrong)) from wrong


def write(title: str, data: Mapping[str, Any]) -> str:
    """A text for a strategy that a program stored without one; read() gives the same back."""
    return str(yaml.safe_dump({"title": title, **data}, sort_keys=False, allow_unicode=True))


def _line(lines: Mapping[Path, int], where: Path) -> int:
    """The line of the field, or of the nearest one around it that is written down."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)


def _tree(text: str, lines: dict[Path, int]) -> dict[str, Any]:
    if (size := len(text.encode(errors="replace"))) > LARGEST:
        raise TextError(1, f"the text has {size:,} bytes, and at most {LARGEST:,} are read.")
    if found := _CONTROL.search(text.replace("\r\n", "\n")):
        raise TextError(text[: found.start()].count("\n") + 1, "there is a character that no keyboard writes.")
    try:
        _bounded(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as bad:
        mark = bad.problem_mark or bad.context_mark
        problem = bad.problem or bad.context or "it can't be read"
        raise TextError(1 if mark is None else int(mark.line) + 1, f"this is no YAML: {problem}.") from bad
    except yaml.YAMLError as bad:
        raise TextError(1, f"this is no YAML: {str(bad).splitlines()[0]}.") from bad
    if not isinstance(root, yaml.MappingNode):
        raise TextError(1, "a strategy is a list of fields, as “title: Careful canary”.")
    return _map(root, (), lines)


def _bounded(text: str) -> None:
    """Look at the text as a stream, before anything is built from it."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise TextError(line, "a second document begins; one strategy is one document.")
        if depth > DEEPEST:
            raise TextError(line, f"lists in lists in lists: at most {DEEPEST} deep.")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise TextError(line, "anchors and aliases (& and *) are not read; write it out.")
        if tag := getattr(event, "tag", None):
            raise TextError(line, f"tags ({tag}) are not read.")


def _map(node: yaml.MappingNode, where: Path, lines: dict[Path, int]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise TextError(line, "a field has a name in letters.")
        name = str(key.value)
        if name in made:
            raise TextError(line, f"{name} is written a second time; the first is in line {lines[(*where, name)]}.")
        lines[(*where, name)] = line
        made[name] = _value(value, (*where, name), lines)
    return made


def _value(node: yaml.Node, where: Path, lines: dict[Path, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _map(node, where, lines)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*where, number)] = item.start_mark.line + 1
        return [_value(item, (*where, number), lines) for number, item in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text, line = str(node.value), node.start_mark.line + 1
    match node.tag.rpartition(":")[2]:
        case "str":
            return text
        case "bool":
            return text.lower() in ("true", "yes", "on")
        case "null":
            return None
        case "int" if _INT.fullmatch(text):
            return int(text)
        case "float" if _FLOAT.fullmatch(text):
            return float(text)
        case "int" | "float":
            raise TextError(line, f"{text} is no plain decimal number.")
    raise TextError(line, f"{text} would be read as something else than text; put it in quotes.")
