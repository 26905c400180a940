"""What the programs and libraries of an unpacked release say about themselves: needs, symbols, hardening."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"
PROGRAMS = ("sbin", "bin", "libexec")


@dataclass(frozen=True)
class Binary:
    """One ELF file; paths are relative to the release's folder. A symbol is "name@VERSION", or "name" without one."""

    path: str
    program: bool
    interpreter: str
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    wanted: frozenset[str]  # undefined and not weak
    offered: frozenset[str]
    pie: bool
    relro: bool
    bind_now: bool
    executable_stack: bool
    writable_code: bool
    kernel: tuple[int, ...]  # the oldest that it runs on, by its ABI note; () where it does not say


def read_all(tree: Path) -> list[Binary]:
    """Read every ELF file of a tree, links left out. ValueError names one that is damaged."""
    found = []
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink() and _is_elf(path):
            name = str(path.relative_to(tree))
            try:
                with path.open("rb") as stream:
                    opened: Any = ELFFile(stream)  # type: ignore[no-untyped-call]  # pyelftools types half of itself
                    found.append(_read(opened, name))
            except Exception as error:  # pyelftools raises whatever a damaged file makes it trip over
                raise ValueError(f"{name} is a damaged ELF file: {error}") from error
    return found


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == MAGIC


def _read(elf: Any, path: str) -> Binary:
    tags = _tags(elf)
    segments = list(elf.iter_segments())
    kinds = {segment["p_type"]: segment for segment in segments}
    flags, flags_1 = _sum(tags, "DT_FLAGS"), _sum(tags, "DT_FLAGS_1")
    wanted, offered = _symbols(elf)
    interpreter = next((str(one.get_interp_name()) for one in segments if one["p_type"] == "PT_INTERP"), "")
    rpath = [piece for tag in (*tags.get("DT_RPATH", []), *tags.get("DT_RUNPATH", [])) for piece in _paths(tag)]
    stack = kinds.get("PT_GNU_STACK")
    return Binary(
        path=path,
        program=path.split("/")[0] in PROGRAMS,
        interpreter=interpreter,
        needed=tuple(str(tag.needed) for tag in tags.get("DT_NEEDED", [])),
        rpath=tuple(rpath),
        wanted=wanted,
        offered=offered,
        pie=elf["e_type"] == "ET_DYN",
        relro="PT_GNU_RELRO" in kinds,
        bind_now=bool(flags & 0x8 or flags_1 & 0x1 or "DT_BIND_NOW" in tags),
        executable_stack=stack is None or bool(stack["p_flags"] & 1),
        writable_code=any(one["p_type"] == "PT_LOAD" and one["p_flags"] & 3 == 3 for one in segments),
        kernel=_kernel(segments),
    )


def _tags(elf: Any) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for segment in elf.iter_segments("PT_DYNAMIC"):
        for tag in segment.iter_tags():
            found.setdefault(str(tag.entry.d_tag), []).append(tag)
    return found


def _sum(tags: Mapping[str, list[Any]], name: str) -> int:
    return next((int(tag.entry.d_val) for tag in tags.get(name, [])), 0)


def _paths(tag: Any) -> list[str]:
    return str(getattr(tag, "rpath", getattr(tag, "runpath", ""))).split(":")


def _symbols(elf: Any) -> tuple[frozenset[str], frozenset[str]]:
    """The dynamic symbols that are wanted and offered, with their versions."""
    table, marks = elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".gnu.version")
    if table is None:
        return frozenset(), frozenset()
    names = _version_names(elf)
    wanted, offered = set(), set()
    for number, symbol in enumerate(table.iter_symbols()):
        if not symbol.name or symbol["st_info"]["bind"] == "STB_LOCAL":
            continue
        mark = marks.get_symbol(number)["ndx"] if marks is not None else 0
        version = names.get(mark & 0x7FFF, "") if isinstance(mark, int) else ""
        full = f"{symbol.name}@{version}" if version else str(symbol.name)
        if symbol["st_shndx"] != "SHN_UNDEF":
            # A program without a version asks for whatever is there: the bare name is offered too.
            offered |= {full, str(symbol.name)}
        elif symbol["st_info"]["bind"] != "STB_WEAK":
            wanted.add(full)
    return frozenset(wanted), frozenset(offered)


def _version_names(elf: Any) -> dict[int, str]:
    names: dict[int, str] = {}
    if (need := elf.get_section_by_name(".gnu.version_r")) is not None:
        for _, versions in need.iter_versions():
            names |= {one["vna_other"] & 0x7FFF: str(one.name) for one in versions}
    if (have := elf.get_section_by_name(".gnu.version_d")) is not None:
        for version, aliases in have.iter_versions():
            names[version["vd_ndx"] & 0x7FFF] = str(next(iter(aliases)).name)
    return names


def _kernel(segments: Iterable[Any]) -> tuple[int, ...]:
    """The ABI note of glibc: "OS: Linux, ABI: 3.2.0"."""
    for segment in segments:
        if segment["p_type"] == "PT_NOTE":
            for note in segment.iter_notes():
                if note["n_type"] == "NT_GNU_ABI_TAG":
                    about = note["n_desc"]
                    return int(about["abi_major"]), int(about["abi_minor"]), int(about["abi_tiny"])
    return ()


def missing(binaries: Iterable[Binary], prefix: str) -> list[str]:
    """What the release's own files need and it does not hold: libraries, loader and symbols. One sentence each."""
    held = {posixpath.basename(one.path): one for one in binaries if not one.program}
    gone = []
    for one in (*held.values(), *(one for one in binaries if one.program)):
        if one.interpreter and posixpath.dirname(one.interpreter) != f"{prefix}/lib" and one.program:
            gone.append(f"{one.path} starts with {one.interpreter}, which is the host's.")
        gone += [f"{one.path} needs {name}, which is not in the release." for name in one.needed if name not in held]
    everything = frozenset[str]().union(*(one.offered for one in held.values()))
    for one in binaries:
        # A library may leave symbols to whoever loads it; a program may not.
        lacking = sorted(one.wanted - everything) if one.program else sorted(_versioned(one.wanted) - everything)
        if lacking:
            gone.append(f"{one.path} wants {', '.join(lacking[:4])}{' …' if len(lacking) > 4 else ''}; nothing has it.")
    return gone


def _versioned(symbols: Iterable[str]) -> set[str]:
    return {symbol for symbol in symbols if "@" in symbol}


def unhardened(one: Binary) -> list[str]:
    """What a file lacks of what compilers give today; of libraries only what the loader can see."""
    asked = {
        "relocations that are read-only (RELRO)": one.relro,
        "a stack that is not executable (NX)": not one.executable_stack,
        "code that is not writable": not one.writable_code,
        "an RPATH inside the release": all(_inside(one.path, piece) for piece in one.rpath),
    }
    if one.program:
        asked |= {
            "a position-independent executable (PIE)": one.pie,
            "binding before the start (BIND_NOW)": one.bind_now,
            "a stack protector": any(name.startswith("__stack_chk_") for name in one.wanted),
            "checked copies (FORTIFY)": any(name.split("@")[0].endswith("_chk") for name in one.wanted - _stack(one)),
        }
    return [name for name, there in asked.items() if not there]


def _stack(one: Binary) -> set[str]:
    return {name for name in one.wanted if name.startswith("__stack_chk")}


def _inside(path: str, piece: str) -> bool:
    """Whether a search path stays in the release: only $ORIGIN may begin it."""
    if not piece.startswith("$ORIGIN"):
        return False
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), piece.removeprefix("$ORIGIN").lstrip("/")))
    return inside != ".." and not inside.startswith("../")
