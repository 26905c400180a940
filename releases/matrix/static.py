"""Static tests: what can be said of a release without running it. Slow by the bundle; nothing but its files is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from approvals.errors import Refused
from fleet.ocgate import optioncheck
from releases import archive
from releases.matrix import binaries, weaknesses
from releases.matrix.binaries import Binary
from releases.matrix.ports import Outcome, green, red, unclear

PACKAGES = "share/packages.json"
MOST_TOLD = 6


@dataclass(frozen=True)
class Host:
    """A gateway of the fleet as far as a program must fit it."""

    name: str
    kernel: str


@dataclass(frozen=True)
class Configured:
    """A pool, and the text of its agreed configuration; "" where none is known here."""

    pool: str
    text: str


@dataclass(frozen=True)
class Subject:
    """A release with all that its static tests look at. `tree` is where its bundle is unpacked."""

    name: str
    product: str
    version: str
    prefix: str
    sha256: str
    kept_tree: str  # what the bundle unpacked to at intake; "" where it was not noted
    bundle: Path
    tree: Path
    signed_by: Sequence[str]
    signatures_lack: str  # why the signatures are not enough; ""
    hosts: Sequence[Host]
    pools: Sequence[Configured]
    floor: Path
    damage: str = ""  # why there is nothing in `tree`


Test = Callable[[Subject, Sequence[Binary]], Outcome]


def integrity(seen: Subject, _: Sequence[Binary]) -> Outcome:
    """The bundle has the signed hash and unpacks to what it unpacked to at intake."""
    hashed = _sha256(seen.bundle) if seen.bundle.is_file() else "nothing"
    if hashed != seen.sha256:
        return red(f"The bundle hashes to {hashed[:12]}…, its manifest says {seen.sha256[:12]}….")
    if seen.damage:
        return red(seen.damage)
    with seen.bundle.open("rb") as bundle:
        contents = archive.check(bundle)
    if seen.kept_tree and contents.tree != seen.kept_tree:
        return red(f"The bundle unpacks to {contents.tree[:12]}…, at intake it was {seen.kept_tree[:12]}….")
    return green(f"{contents.files} files as they were signed.", files=contents.files, unpacked=contents.unpacked)


def signatures(seen: Subject, _: Sequence[Binary]) -> Outcome:
    if seen.signatures_lack:
        return red(seen.signatures_lack)
    return green(f"Good signatures of {', '.join(seen.signed_by)}.", signers=list(seen.signed_by))


def libraries(seen: Subject, found: Sequence[Binary]) -> Outcome:
    """Every library comes from a package that is named, with its version and its licence."""
    path = seen.tree / PACKAGES
    if not path.is_file():
        return unclear(
            f"The release has no {PACKAGES}: where its {len(found)} programs and libraries come from is open."
        )
    try:
        packages = {row["name"]: row for row in json.loads(path.read_text())["packages"]}
        owners = {file: name for name, row in packages.items() for file in row["files"]}
    except (ValueError, TypeError, KeyError) as error:
        return red(f"{PACKAGES} can't be read: {type(error).__name__} {error}.")
    lone = [one.path for one in found if one.path not in owners]
    silent = [name for name in sorted(packages) if not (seen.tree / f"share/doc/{name}/copyright").is_file()]
    listing = "\n".join(f"{name} {row['version']} · {_licences(seen.tree, name)}" for name, row in packages.items())
    if lone or silent:
        return red(f"{_some('Of no named package', lone)} {_some('Without a licence', silent)}".strip(), listing)
    return green(f"{len(found)} files from {len(packages)} packages, each with its licence.", listing)


def symbols(seen: Subject, found: Sequence[Binary]) -> Outcome:
    """All that the programs need is in the release, and no host's kernel is too old for its libc."""
    if lacking := binaries.missing(found, seen.prefix):
        return red(_some("Missing", lacking), "\n".join(lacking))
    oldest = max((one.kernel for one in found), default=())
    least = ".".join(map(str, oldest)) or "any"
    old = [host.name for host in seen.hosts if () < _kernel(host.kernel) < oldest]
    if old:
        return red(f"Its libc needs Linux {least}; {_some('older', old)}")
    unknown = [host.name for host in seen.hosts if not _kernel(host.kernel)]
    say = f"{len(found)} files need nothing that is not in the release, but Linux {least}"
    if unknown:
        return unclear(f"{say}. {_some('What these gateways run is not known', unknown)}")
    return green(f"{say}: all {len(seen.hosts)} gateways have that." if seen.hosts else f"{say}.")


def configuration(seen: Subject, _: Sequence[Binary]) -> Outcome:
    """Every pool's agreed configuration means to this version what it meant to its authors."""
    found = [(one.pool, finding) for one in seen.pools for finding in optioncheck.problems(one.text, seen.version)]
    errors = [f"{pool}: {finding.say}" for pool, finding in found if finding.level == "error"]
    notes = [f"{pool}: {finding.say}" for pool, finding in found if finding.level != "error"]
    open_ = [one.pool for one in seen.pools if not one.text]
    log = "\n".join([*errors, *notes])
    if errors:
        return red(_some(f"ocserv {seen.version} takes a configuration in another way", errors), log)
    if notes:
        return unclear(_some("To be looked at", notes), log)
    if open_ or not seen.pools:
        return unclear(_some("No configuration is agreed here for", open_ or ["any pool"]))
    return green(f"The configurations of {len(seen.pools)} pools mean the same to {seen.version}.")


def known_weaknesses(seen: Subject, _: Sequence[Binary]) -> Outcome:
    """The version is not below the security floor."""
    try:
        known = weaknesses.read(seen.floor, seen.product)
    except Refused as refusal:
        return unclear(refusal.say)
    has = weaknesses.of(known, version=seen.version, release=seen.name)
    log = "\n".join(f"{one.id}, fixed in {one.fixed_in}: {one.say}" for one in has)
    if has:
        least = max((one.fixed_in for one in has), key=weaknesses.order)
        return red(f"{len(has)} known weaknesses; {least} is the first version without them.", log)
    return green(f"None of the {len(known)} weaknesses that are listed.")


def hardening(_: Subject, found: Sequence[Binary]) -> Outcome:
    lacking = {one.path: binaries.unhardened(one) for one in found}
    soft = [f"{path} lacks {', '.join(lack)}" for path, lack in lacking.items() if lack]
    if soft:
        return red(_some("Soft", soft), "\n".join(soft))
    programs = sum(one.program for one in found)
    return green(f"{programs} programs and {len(found) - programs} libraries are built as they should be.")


def test(name: str, seen: Subject, found: Sequence[Binary]) -> Outcome:
    """Run one test; those that look at programs can say nothing where there are none."""
    if not found and name in ABOUT_PROGRAMS:
        return unclear("There is no program to look at.")
    return TESTS[name](seen, found)


ABOUT_PROGRAMS = ("libraries and licences", "symbols", "hardening")
TESTS: Mapping[str, Test] = {
    "integrity": integrity,
    "signatures": signatures,
    "libraries and licences": libraries,
    "symbols": symbols,
    "configuration": configuration,
    "known weaknesses": known_weaknesses,
    "hardening": hardening,
}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _licences(tree: Path, package: str) -> str:
    """The licences that a Debian copyright file names; its machine-readable form has a line for each."""
    path = tree / f"share/doc/{package}/copyright"
    text = path.read_text(errors="replace") if path.is_file() else ""
    named = sorted({found.strip() for found in re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)})
    return ", ".join(named[:MOST_TOLD]) or "see its copyright file"


def _kernel(release: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _some(what: str, things: Iterable[str]) -> str:
    """ "What: a, b and 3 more." — "" for none."""
    told = list(things)
    if not told:
        return ""
    more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return f"{what}: {'; '.join(one.rstrip('.') for one in told[:MOST_TOLD])}{more}."
