"""What is wrong with a configuration for one version of ocserv, by its text alone. Pure.

`ocserv -t` says next to nothing of it (measured, 1.1.6 to 1.5.0): `dpd = abc` and `use-occtl = 1` pass with code 0.
"""

from __future__ import annotations

import difflib
from typing import Iterator, List

from . import derive, oddlines, optiondata, options
from .findings import Finding
from .options import OPTIONS, Option, Place

TRUE, FALSE = ("true", "yes"), ("false", "no")
GLOBAL_IS_ERROR = (1, 4, 2)
SEVERAL_SEC_MODS, SEC_MODS_FIND_SESSIONS = (1, 1, 1), (1, 5, 0)
USERS_PER_SEC_MOD = 500  # MINIMUM_USERS_PER_SEC_MOD of ocserv


def problems(text: str, version: str, *, processors: int = 1) -> List[Finding]:
    """Findings for ocserv `version` ("1.3.0"); nothing is read but the text. `processors`: of the host, if known."""
    found = [*_unknown(text, version), *_odd(text), *_misplaced(text, version)]
    found += _sec_mods(text, version, processors)
    for place, given in options.values(text).items():
        option = OPTIONS.get(place[1])
        if option is not None and option.known_to(options.version_of(version)):
            found += _values(place, option, given)
            found += _doubled(place, option, given)
    return found


def _unknown(text: str, version: str) -> Iterator[Finding]:
    known = options.known(version)
    for section, name in options.values(text):
        if name in known:
            continue
        say = f"ocserv {version} does not know the option {options.shown((section, name))} and would skip it"
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
        hint = _where_known(name) or (f"; did you mean {near[0]}?" if near else ".")
        by = options.measured(version)
        source = "" if version.startswith(by) else f" (By the list of ocserv {by}, the nearest that was measured.)"
        yield Finding("warning", "option_unknown", f"{say}{hint}{source}")


def _where_known(name: str) -> str:
    option = OPTIONS.get(name)
    if option is None:
        return ""
    if option.gone:
        return f": it was removed in {_text(option.gone)}."
    return f": it came with {_text(option.since)}."


def _text(version: options.Version) -> str:
    return ".".join(str(part) for part in version)


def _odd(text: str) -> Iterator[Finding]:
    for number, line in oddlines.odd(text):
        name = line.strip().split("=")[0].split(":")[0].strip()
        level = "error" if name in derive.OURS else "warning"
        # What the line holds may be a secret, or the end of one.
        what = f" ({name})" if name in OPTIONS else ""
        say = f"Line {number}{what} is not plain: ocserv may read it in another way than it looks."
        yield Finding(level, "line_odd", f"{say} Write it as name = value, not indented.")


def _misplaced(text: str, version: str) -> Iterator[Finding]:
    """What stands where it may not, and what no version takes any more."""
    hard = options.version_of(version) >= GLOBAL_IS_ERROR
    for (section, name), given in options.values(text).items():
        option = OPTIONS.get(name)
        if name == "listen-clear-file":
            yield Finding(
                "error", "option_removed", "ocserv 1.1.2 removed listen-clear-file and refuses to start with it."
            )
        if name in ("dns", "ipv4-dns", "ipv6-dns") and "local" in given:
            yield Finding("error", "option_removed", f"ocserv refuses {name} = local; write an address.")
        if section and option is not None and option.scope == "global":
            what = "refuses to start with it" if hard else "ignores it there"
            level = "error" if hard else "warning"
            yield Finding(
                level, "global_in_vhost", f"{name} is for the whole server; in [{section}] ocserv {version} {what}."
            )


def sec_mods(text: str, *, processors: int) -> int:
    """How many ocserv-sm ocserv starts, as its main does (1.1.6, 1.3.0 and 1.5.0 alike)."""
    scale, most = (_number(text, name) for name in ("sec-mod-scale", "max-clients"))
    if scale:
        return scale
    return min(processors, most // USERS_PER_SEC_MOD + 1) if most else processors


def _number(text: str, name: str) -> int:
    """The value of a global option, 0 when it is not set or no number."""
    given = options.values(text).get(("", name), [""])
    return options.number(given[-1]) or 0


def _sec_mods(text: str, version: str, processors: int) -> Iterator[Finding]:
    """Several ocserv-sm share the sessions by the client's address: one that came from another asks the wrong one."""
    many = sec_mods(text, processors=processors)
    if many > 1 and SEVERAL_SEC_MODS <= options.version_of(version) < SEC_MODS_FIND_SESSIONS:
        say = (
            f"ocserv {version} would run {many} ocserv-sm, and they lose sessions: of 24 clients that had changed their"
        )
        lost = "address and were then cut, 9 (1.1.6) and 12 (1.3.0) were refused with 401 and had to sign in again."
        way = "Set sec-mod-scale = 1 where sign-ins are fast, or take 1.5.0, which refused none."
        yield Finding("warning", "sec_mods", f"{say} {lost} {way}")


def _values(place: Place, option: Option, given: List[str]) -> Iterator[Finding]:
    for value in given:
        if why := wrong(option, value):
            yield Finding("error", "value_bad", f"The option {options.shown(place)} is {value[:40]!r}, {why}.")
    if option.name in optiondata.DEPRECATED:
        instead = optiondata.DEPRECATED[option.name]
        hint = f"; write {instead}" if instead else "; leave it out"
        yield Finding("note", "option_deprecated", f"The option {options.shown(place)} is an old name{hint}.")


def wrong(option: Option, value: str) -> str:
    """Why ocserv would not take the value as it was meant, "" if it does."""
    if option.kind == "number":
        number = options.number(value)
        if number is None:
            return "which is no number; ocserv takes what it can read of it, or 0"
        if not option.low <= number <= option.high:
            return f"which is not between {option.low} and {option.high}"
    if option.kind == "flag" and value.lower() not in TRUE + FALSE:
        return "and ocserv takes everything but true and yes as false"
    if option.kind == "words" and value not in option.words:
        return f"and it may be {' or '.join(option.words)}"
    return ""


def _doubled(place: Place, option: Option, given: List[str]) -> Iterator[Finding]:
    if len(given) > 1 and not option.many and len(set(given)) > 1:
        say = f"The option {options.shown(place)} stands {len(given)} times; only {given[-1][:40]!r} counts."
        if option.kind == "secret":
            say = f"The option {options.shown(place)} stands {len(given)} times; only the last counts."
        yield Finding("warning", "option_doubled", say)
