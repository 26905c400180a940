"""Make probegate's zipapp: the same bytes from the same sources."""

from __future__ import annotations

from pathlib import Path

from fleet.ocgate import build as zipapp

MAIN = "import sys\n\nfrom probegate.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


def build(target: Path) -> Path:
    """Write the zipapp to `target` (mode 0755) and return it."""
    sources = (Path(__file__).parent / "probegate").glob("*.py")
    return zipapp.write(target, main=MAIN, package="probegate", sources=sources)
