"""Which shared libraries a program needs, and making a folder of them self-contained."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.commands import LabError, run, text

LOADER = "ld-linux-x86-64.so.2"


def is_elf(path: Path) -> bool:
    """Whether the file begins with the ELF magic."""
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _libraries(tree: Path) -> dict[str, Path]:
    """Soname-like file name → file, of everything in the tree's library folders."""
    found: dict[str, Path] = {}
    for folder in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64"):
        for path in sorted((tree / folder).glob("*.so*")) if (tree / folder).is_dir() else ():
            found.setdefault(path.name, path)
    return found


def closure(programs: list[Path], tree: Path) -> dict[str, Path]:
    """Every library that the programs need, by the name they ask for, out of an unpacked tree; the loader with it."""
    have, wanted = _libraries(tree), {LOADER}
    todo = list(programs)
    while todo:
        needed = text(["patchelf", "--print-needed", str(todo.pop())]).split()
        for name in set(needed) - wanted:
            if name not in have:
                raise LabError(f"The library {name} is in none of the downloaded packages.")
            wanted.add(name)
            todo.append(_inside(have[name], tree))
    return {name: _inside(have[name], tree) for name in sorted(wanted)}


def _inside(path: Path, tree: Path) -> Path:
    """Follow links by hand: an absolute one in the tree means the tree's root, not the host's."""
    for _ in range(8):
        if not path.is_symlink():
            return path
        target = path.readlink()
        path = tree / str(target).lstrip("/") if target.is_absolute() else path.parent / target
    raise LabError(f"The link {path} does not end.")


def relocate(program: Path, prefix: str) -> None:
    """Tie a program in sbin/ or bin/ to the loader and libraries of its own release folder.

    DT_RPATH (not RUNPATH) is inherited by the libraries' own look-ups, so none of the host's can slip in.
    """
    run(["patchelf", "--set-interpreter", f"{prefix}/lib/{LOADER}", str(program)])
    run(["patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib", str(program)])


def copy(source: Path, target: Path, *, mode: int) -> None:
    """Copy a file's bytes and set its mode."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)
