"""The lab's releases: ocserv out of Debian's suites as signed bundles, and two bad ones. Cached by content."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab import badness, contents
from lab.bundle import Recipe, publish
from lab.changes import built_at, shortened
from lab.commands import Say, text
from lab.elf import closure, copy, is_elf, relocate
from lab.signing import Signer
from lab.suites import Suite

SUITES = ("bookworm", "trixie", "sid")
# Part of each cache entry's key: raise it when the recipe below changes what comes out.
RECIPE = "2"
PROGRAMS = {"usr/sbin/ocserv": "sbin", "usr/sbin/ocserv-worker": "sbin", "usr/bin/occtl": "bin"}


@dataclass(frozen=True)
class Release:
    """One built release: its signed files in `folder`, and the unpacked tree that the bundle holds."""

    release: str
    version: str
    folder: Path
    tree: Path
    package: Path


class Builder:
    """Builds and caches releases under `cache`."""

    def __init__(self, cache: Path, say: Say) -> None:
        self.cache = cache.resolve()
        self.say = say
        self.signer = Signer(self.cache / "keys")

    def debian(self, *, refresh: bool = False) -> list[Release]:
        """One release per suite, oldest first. Downloads only what the cache lacks, or all with `refresh`."""
        self.signer.prepare()
        return [self._of_suite(suite, refresh=refresh) for suite in SUITES]

    def bad(self, good: Release, *, kind: str = "bad") -> Release:
        """A signed variant of `good` with a fault of badness.KINDS: `bad` under traffic, `dies` soon after start."""
        log = f"A rebuild of {good.release} with a seat limiter for workers."
        spoil = partial(badness.spoil, kind=kind)
        return self._variant(good, f"{good.release}+{kind}", str(badness.KINDS[kind]), change=spoil, log=log)

    def padded(self, good: Release, *, size: int) -> Release:
        """A signed variant of `good` whose bundle has about `size` bytes: with noise that nothing makes smaller."""
        name = f"{good.release}+{size // 1_000_000}mb"

        def pad(tree: Path) -> None:
            missing = size - (good.folder / "bundle.tar.zst").stat().st_size
            (tree / "lib/noise").write_bytes(random.Random(name).randbytes(max(0, missing)))  # nosec B311 # noqa: S311

        return self._variant(good, name, str(size), change=pad, log="Padded for a bench.")

    def _variant(self, good: Release, name: str, recipe: str, *, change: Callable[[Path], None], log: str) -> Release:
        """`good` with `change` made to its tree, built once for each `recipe`."""
        key = hashlib.sha256(f"{RECIPE} {self._key(good)} {recipe}".encode()).hexdigest()
        made = self._made(name, good.version, good.package)
        if self._key(made) != key:
            self.say(f"building release {name}")
            _emptied(made.tree)
            _assemble(good.package, made.tree, name)
            change(made.tree)
            self._publish(made, f"lab variant of ocserv {good.release}", f"# ocserv {name}\n\n{log}\n")
            (made.folder / "recipe").write_text(key)
        return made

    def _of_suite(self, suite: str, *, refresh: bool) -> Release:
        note = self.cache / "suites" / f"{suite}.json"
        known = json.loads(note.read_text()) if note.exists() and not refresh else {}
        if known.get("recipe") == RECIPE:
            made = self._made(known["release"], known["version"], Path(known["package"]))
            if self._key(made) == known["key"]:
                return made
        self.say(f"downloading ocserv of Debian {suite}")
        packages = Suite(suite, self.cache / "suites" / suite).download("ocserv")
        made, key = self._from_packages(suite, packages)
        entry = {"recipe": RECIPE, "release": made.release, "version": made.version}
        note.write_text(json.dumps({**entry, "package": str(made.package), "key": key}))
        return made

    def _from_packages(self, suite: str, packages: list[Path]) -> tuple[Release, str]:
        package = newest(packages, "ocserv")
        release = text(["dpkg-deb", "--field", str(package), "Version"]).split(":")[-1]
        version = release.split("-")[0].split("+")[0]
        made = self._made(release, version, self.cache / "packages" / release)
        sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in packages]
        key = hashlib.sha256(" ".join([RECIPE, *sums]).encode()).hexdigest()
        if self._key(made) != key:
            self.say(f"building release {release}")
            _unpack(packages, _emptied(made.package))
            _assemble(made.package, _emptied(made.tree), release)
            self._publish(made, f"debian {suite} ocserv {release}", shortened(made.package, release))
            (made.folder / "recipe").write_text(key)
        return made, key

    def _made(self, release: str, version: str, package: Path) -> Release:
        folder, tree = self.cache / "releases" / release, self.cache / "trees" / release
        return Release(release, version, folder=folder, tree=tree, package=package)

    def _key(self, made: Release) -> str:
        path = made.folder / "recipe"
        return path.read_text() if path.exists() and made.tree.is_dir() else ""

    def _publish(self, made: Release, source: str, changelog: str) -> None:
        recipe = Recipe(made.release, made.version, source, built_at(made.package), changelog)
        publish(made.tree, _emptied(made.folder), recipe, signer=self.signer)


def newest(packages: Iterable[Path], name: str) -> Path:
    """The file of package `name` that was downloaded last: a moving suite leaves older ones in the cache."""
    return max((path for path in packages if path.name.startswith(f"{name}_")), key=lambda path: path.stat().st_mtime)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _unpack(packages: list[Path], tree: Path) -> None:
    """Unpack ocserv whole and of the others the libraries, newest of each package."""
    names = sorted({path.name.split("_")[0] for path in packages})
    chosen = [newest(packages, name) for name in names if name == "ocserv" or name.startswith(("lib", "zlib"))]
    for path in chosen:
        text(["dpkg-deb", "--extract", str(path), str(tree)])
    contents.note(chosen, tree)


def _assemble(package: Path, tree: Path, release: str) -> None:
    """Lay out sbin/, bin/, lib/ and share/ of a release folder from an unpacked package tree."""
    prefix = Recipe(release, "0.0.0", "", "", "").prefix
    programs = {f"{folder}/{Path(source).name}": package / source for source, folder in PROGRAMS.items()}
    libraries = closure(list(programs.values()), package)
    sources = {**programs, **{f"lib/{name}": library for name, library in libraries.items()}}
    for name, source in sources.items():
        copy(source, tree / name, mode=0o755)
    for name in programs:
        if is_elf(tree / name):
            relocate(tree / name, prefix)
    contents.describe(package, tree, sources)
