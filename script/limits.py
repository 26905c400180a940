#!/usr/bin/env python3
"""The house's limits, which ruff cannot count: lines of a function, a test, a file and a template, and parameters.

Usage: script/limits.py [FOLDER]. Prints one line for each thing that is over and exits 1, else says what it measured.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FUNCTION, TEST, FILE, TEMPLATE, PARAMETERS = 40, 25, 300, 120, 6
LEFT_OUT = {".git", ".venv", ".cache", "var", "vendor", "migrations", "static-collected", "node_modules"}
TEXTS = {".py", ".js", ".css", ".sh", ".html", ""}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(root: Path) -> Iterator[Path]:
    """Yield the source files below root: Python, shell (by suffix or by its first line), scripts, styles, templates."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if LEFT_OUT & set(parts) or not path.is_file() or path.suffix not in TEXTS:
            continue
        if any(part.endswith("_cache") for part in parts):
            continue
        if path.suffix or path.read_bytes()[:2] == b"#!":
            yield path


def parameters(function: Function) -> int:
    """Count what a caller may pass; self and cls are not passed by callers."""
    names = [*function.args.posonlyargs, *function.args.args]
    bound = bool(names) and names[0].arg in ("self", "cls", "mcs")
    stars = bool(function.args.vararg) + bool(function.args.kwarg)
    return len(names) - bound + len(function.args.kwonlyargs) + stars


def function_faults(function: Function, *, in_tests: bool) -> Iterator[str]:
    """Yield what is too long or too wide about one function; its decorators don't count, its docstring does."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    most = TEST if in_tests and function.name.startswith("test_") else FUNCTION
    if lines > most:
        yield f"{function.lineno}: {function.name} has {lines} lines, at most {most}"
    # A test's parameters are fixtures: they are wired by name, nobody passes them.
    if not in_tests and parameters(function) > PARAMETERS:
        yield f"{function.lineno}: {function.name} has {parameters(function)} parameters, at most {PARAMETERS}"


def faults(path: Path, root: Path) -> Iterator[str]:
    """Yield one sentence for each thing in the file that is over a limit, with its line."""
    text = path.read_text()
    lines = text.count("\n")
    most = TEMPLATE if path.suffix == ".html" else FILE
    name = path.relative_to(root)
    if lines > most:
        yield f"{name}:1: the file has {lines} lines, at most {most}"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text, filename=str(path))):
            if isinstance(node, Function):
                yield from (f"{name}:{fault}" for fault in function_faults(node, in_tests="tests" in name.parts))


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    paths = list(files(root))
    found = [fault for path in paths for fault in faults(path, root)]
    print("\n".join(found) or f"{len(paths)} files are within the limits.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
