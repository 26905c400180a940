"""Make the zipapp: the same bytes from the same sources."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

SHEBANG = b"#!/usr/bin/python3\n"
# The least that zip can say; a build must not carry the time it was made.
EPOCH = (1980, 1, 1, 0, 0, 0)
MAIN = "import sys\n\nfrom ocgate.cli import main\n\nsys.exit(main(sys.argv[1:]))\n"
NOT_SHIPPED = frozenset({"build.py"})


def build(target: Path) -> Path:
    """Write the zipapp to `target` (mode 0755) and return it."""
    sources = [source for source in Path(__file__).parent.glob("*.py") if source.name not in NOT_SHIPPED]
    return write(target, main=MAIN, package="ocgate", sources=sources)


def write(target: Path, *, main: str, package: str, sources: Iterable[Path]) -> Path:
    """Write a zipapp of one package, with `main` as its __main__.py."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".new")
    with partial.open("wb") as out:
        out.write(SHEBANG)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "__main__.py", main.encode())
            for source in sorted(sources):
                _add(archive, f"{package}/{source.name}", source.read_bytes())
    partial.chmod(0o755)
    os.replace(partial, target)
    return target


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, EPOCH)
    member.external_attr = 0o644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, data)
