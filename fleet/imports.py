"""Gateways from lists that exist already: ansible inventories (INI, YAML, `--list` JSON) and CSV. Parsing is pure.

Nothing is lost: a line that can't be read is a row of the preview with its number and the reason.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import yaml

from approvals.errors import Refused
from fleet.enrolment import Asked, why_not
from fleet.gateways.scan import Scanned, scan_all
from fleet.models import Gateway

NEW, KNOWN, DIFFERS, REFUSED, SILENT = "new", "known", "differs", "refused", "silent"
BIG = 1024 * 1024  # bytes of a list; 10,000 gateways need a tenth
MOST = 2000  # hosts of a list
RANGE = re.compile(r"\[(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?\]")
WORD = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)=("[^"]*"|'[^']*'|\S*)""")
OURS = {"public_address": "handover_public_address", "failure_domain": "handover_failure_domain"}


@dataclass(frozen=True)
class Found:
    """One host of a list. `say` is why it can't be taken."""

    line: int  # 0 where the format has no lines
    asked: Asked
    groups: tuple[str, ...] = ()
    say: str = ""
    login: str = ""  # ansible_user: who may install there; the controller itself signs in as ssh_user


@dataclass(frozen=True)
class Row:
    """One row of the preview."""

    what: str  # NEW, KNOWN, DIFFERS, REFUSED, SILENT
    line: int
    asked: Asked
    say: str
    groups: tuple[str, ...] = ()
    login: str = ""


def parse(data: bytes, name: str) -> list[Found]:
    """Return every host of a list in its order; Refused when the whole is no list that is known. Pure."""
    if len(data) > BIG:
        raise Refused(f"The list has {len(data):,} bytes; {BIG:,} are read at most.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise Refused(f"The list is not UTF-8: byte {bad.start} can't be read.") from bad
    try:
        found = list(islice(_read(text, name), MOST + 1))
    except (ValueError, RecursionError, csv.Error) as bad:
        raise Refused(f"The list can't be read: {str(bad)[:200]}.") from bad
    if not found:
        raise Refused("There is no host in this list.")
    _refuse_many(len(found))
    return _without_doubles(found)


def _refuse_many(hosts: int) -> None:
    if hosts > MOST:
        raise Refused(f"The list has more than {MOST:,} hosts, which is what is taken at once at most.")


def _silent(done: int, total: int) -> None:
    """Nobody wants to know how far it is."""


def preview(
    data: bytes, name: str, *, mine: Collection[int] | None = None, tell: Callable[[int, int], None] = _silent
) -> list[Row]:
    """Say of every host what would become of it; new ones are asked for their host keys, all at the same time.

    `mine`: the gateways of which the reader may know more than their name; None: all. `tell` gets how many of how many
    have been asked.
    """
    found = parse(data, name)
    known = {gateway.name: gateway for gateway in Gateway.objects.exclude(state=Gateway.State.LEFT)}
    rows = [_judged(host, known.get(host.asked.name), mine) for host in found]
    new = [row for row in rows if row.what == NEW]
    scanned = scan_all([(row.asked.address, row.asked.port) for row in new], tell=tell)
    shown = {row.asked.name: said for row, said in zip(new, scanned, strict=True)}
    return [_scanned(row, shown[row.asked.name]) if row.what == NEW else row for row in rows]


def _judged(host: Found, gateway: Gateway | None, mine: Collection[int] | None) -> Row:
    if host.say:
        return Row(REFUSED, host.line, host.asked, host.say, host.groups, host.login)
    if gateway is None:
        return Row(NEW, host.line, host.asked, "", host.groups, host.login)
    if mine is not None and gateway.pk not in mine:
        say = f"a gateway called {gateway.name} is in the fleet already"
        return Row(REFUSED, host.line, host.asked, say, host.groups, host.login)
    names = ("address", "port", "ssh_user")
    differ = [
        f"{name} {getattr(gateway, name)} here, {getattr(host.asked, name)} in the list"
        for name in names
        if getattr(gateway, name) != getattr(host.asked, name)
    ]
    if differ:
        return Row(DIFFERS, host.line, host.asked, "; ".join(differ), host.groups)
    return Row(KNOWN, host.line, host.asked, f"it is {gateway.state} already", host.groups)


def _scanned(row: Row, said: Scanned) -> Row:
    if not said.keys:
        return replace(row, what=SILENT, say=said.say)
    say = ", ".join(f"{kind} {print}" for kind, print in said.fingerprints)
    return replace(row, asked=replace(row.asked, keys=said.keys), say=say)


def _read(text: str, name: str) -> Iterator[Found]:
    start = text.lstrip()[:1]
    ending = name.rpartition(".")[2].lower()
    if start == "{" or ending == "json":
        return _json(text)
    if ending == "csv":
        return _csv(text)
    if ending in ("yml", "yaml"):
        return _yaml(text)
    if start == "[" or ending in ("ini", "cfg") or "=" in text:
        return _ini(text)
    first = text.partition("\n")[0]
    if "," in first:
        return _csv(text)
    if re.match(r"\s*(---|[\w.-]+\s*:)", text):
        return _yaml(text)
    return _ini(text)


def _host(name: str, given: Mapping[str, Any], *, line: int, groups: tuple[str, ...] = ()) -> Found:
    """One host from ansible's variables, or from columns with our own names."""
    said = {str(key): value for key, value in given.items()}
    port = str(_first(said, "ansible_port", "ansible_ssh_port", "port") or 22)
    asked = Asked(
        name=name.lower(),
        address=str(_first(said, "ansible_host", "ansible_ssh_host", "address") or name),
        port=int(port) if port.isdecimal() and len(port) < 6 else 0,
        ssh_user=str(_first(said, "handover_user", "ssh_user") or "ocgate"),
        public_address=str(_first(said, OURS["public_address"], "public_address") or ""),
        failure_domain=str(_first(said, OURS["failure_domain"], "failure_domain") or "")[:60],
    )
    login = str(_first(said, "ansible_user", "ansible_ssh_user") or "")
    return Found(line, asked, groups, why_not(asked), login)


def _first(said: Mapping[str, Any], *names: str) -> Any:
    return next((said[name] for name in names if said.get(name) not in (None, "")), None)


def _bad(line: int, text: str, say: str) -> Found:
    return Found(line, Asked(text.strip()[:60], ""), (), say)


def _ini(text: str) -> Iterator[Found]:
    """Ansible's INI: hosts with variables, [group], [group:vars], [group:children]. Group variables come first."""
    group, part = "", "hosts"
    of_group: dict[str, dict[str, str]] = {}
    hosts: dict[str, tuple[int, dict[str, str], list[str]]] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)[#;].*$", "", raw).strip()
        if not line:
            continue
        if line.startswith("["):
            if not (head := re.fullmatch(r"\[([\w.-]+)(?::(vars|children|hosts))?\]", line)):
                yield _bad(number, line, f"line {number}: “{line[:40]}” is no group")
                continue
            group, part = head[1], head[2] or "hosts"
        elif part == "vars":
            name, _, value = line.partition("=")
            of_group.setdefault(group, {})[name.strip()] = value.strip().strip("\"'")
        elif part == "hosts":
            label, _, rest = line.partition(" ")
            said = {name: value.strip("\"'") for name, value in WORD.findall(rest)}
            for host in _expanded(label):
                first, words, groups = hosts.setdefault(host, (number, {}, []))
                words.update(said)
                groups += [group] if group else []
                _refuse_many(len(hosts))
    for host, (number, said, groups) in hosts.items():
        inherited = {key: value for name in ("all", *groups) for key, value in of_group.get(name, {}).items()}
        yield _host(host, {**inherited, **said}, line=number, groups=tuple(groups))


def _expanded(label: str) -> list[str]:
    """gw[01:12] → gw01 … gw12, as ansible reads it; what makes no sense, or too many names, stays as it is."""
    found = [label]
    while span := RANGE.search(found[0]):
        low, high, step = span[1], int(span[2]), int(span[3] or 1)
        numbers = range(int(low), high + 1, step) if step else range(0)
        if not 1 <= len(numbers) * len(found) <= MOST:
            return [label]
        filled = [str(number).zfill(len(low)) for number in numbers]
        found = [name.replace(span[0], number, 1) for name in found for number in filled]
    return found


def _yaml(text: str) -> Iterator[Found]:
    try:
        # Aliases may make a small file huge; an inventory needs none.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise Refused("The list uses YAML aliases; write the hosts out.")
        tree = yaml.safe_load(text)
    except yaml.YAMLError as bad:
        mark = getattr(bad, "problem_mark", None)
        raise Refused(f"The list is no YAML{f': line {mark.line + 1}' if mark else ''}.") from bad
    if not isinstance(tree, Mapping):
        raise Refused("The list is YAML, but no inventory: groups with hosts are expected.")
    seen: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for group, content in tree.items():
        _walk(str(group), content, {}, seen, depth=0)
    for host, (said, groups) in seen.items():
        for name in _expanded(host):
            yield _host(name, said, line=0, groups=tuple(groups))


def _walk(
    group: str, content: Any, above: Mapping[str, Any], seen: dict[str, tuple[dict[str, Any], list[str]]], *, depth: int
) -> None:
    if not isinstance(content, Mapping) or depth > 20:
        return
    own = content.get("vars")
    said = {**above, **(own if isinstance(own, Mapping) else {})}
    hosts = content.get("hosts")
    for host, words in (hosts if isinstance(hosts, Mapping) else {}).items():
        known, groups = seen.setdefault(str(host), ({}, []))
        known.update(said)
        known.update(words if isinstance(words, Mapping) else {})
        groups.append(group)
    children = content.get("children")
    for child, inside in (children if isinstance(children, Mapping) else {}).items():
        _walk(str(child), inside, said, seen, depth=depth + 1)


def _json(text: str) -> Iterator[Found]:
    """What `ansible-inventory --list` prints: groups, and _meta.hostvars."""
    try:
        tree = json.loads(text)
    except ValueError as bad:
        raise Refused(f"The list is no JSON: {bad}.") from bad
    if not isinstance(tree, Mapping):
        raise Refused("The list is JSON, but not what ansible-inventory --list prints.")
    meta = tree.get("_meta")
    hostvars = meta.get("hostvars", {}) if isinstance(meta, Mapping) else {}
    groups: dict[str, list[str]] = {str(host): [] for host in hostvars}
    for group, content in tree.items():
        hosts = content.get("hosts", []) if isinstance(content, Mapping) else content
        if group != "_meta" and isinstance(hosts, list):
            for host in hosts:
                groups.setdefault(str(host), []).append(str(group))
    for host, names in groups.items():
        said = hostvars.get(host, {})
        yield _host(host, said if isinstance(said, Mapping) else {}, line=0, groups=tuple(names))


def _csv(text: str) -> Iterator[Found]:
    """A head line with at least name and address; further: port, ssh_user, public_address, failure_domain."""
    kind = csv.Sniffer()
    try:
        dialect: Any = kind.sniff(text.partition("\n")[0], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(text), dialect=dialect)
    columns = [str(name).strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = columns
    if not {"name", "address"} <= set(columns):
        raise Refused("The first line of a CSV must name its columns, name and address among them.")
    for row in reader:
        number = reader.line_num
        if None in row:
            yield _bad(number, str(row.get("name")), f"line {number} has more fields than the head line")
        else:
            said = {key: (value or "").strip() for key, value in row.items()}
            yield _host(said["name"], said, line=number, groups=tuple(filter(None, [said.get("pool", "")])))


def _without_doubles(found: list[Found]) -> list[Found]:
    """The second host of a name is refused, so that nobody has to guess which one was meant."""
    seen: set[str] = set()
    judged = []
    for host in found:
        double = host.asked.name in seen
        seen.add(host.asked.name)
        judged.append(replace(host, say=host.say or f"{host.asked.name} stands there twice") if double else host)
    return judged
