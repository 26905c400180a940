"""Make hagate's zipapp: the same bytes from the same sources. Outside of fleet/traffic, which needs Django."""

from __future__ import annotations

from pathlib import Path

from fleet.ocgate import build as zipapp

MAIN = "import sys\n\nfrom hagate.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


def build(target: Path) -> Path:
    """Write the zipapp to `target` (mode 0755) and return it."""
    return zipapp.write(
        target, main=MAIN, package="hagate", sources=(Path(__file__).parent / "traffic/hagate").glob("*.py")
    )
