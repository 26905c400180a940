"""One database out into a file while others write to it, and back into an empty place: SQLite and PostgreSQL."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from django.db import connection

NAMES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}


class Unfit(Exception):
    """The database can't be copied or taken back; the text says why."""


def dump(folder: Path) -> Path:
    """Write the database as it is at one moment into `folder`; who writes meanwhile does not wait."""
    out = folder / NAMES[connection.vendor]
    if connection.vendor == "postgresql":
        _run("pg_dump", "--format=custom", "--no-owner", f"--file={out}")
        return out
    # All pages in one step: a reader's snapshot of the write-ahead log, so it neither waits nor is begun anew.
    with closing(sqlite3.connect(_path())) as source, closing(sqlite3.connect(out)) as target:
        source.backup(target)
    return out


def refuse_unless_empty() -> None:
    """Unfit when there is something that a restore would lose."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
            tables = cursor.fetchone()[0]
        if tables:
            raise Unfit(f"The database has {tables} tables already. Restore into an empty one: createdb, DATABASE_URL.")
        return
    path = _path()
    if path.exists() and path.stat().st_size:
        raise Unfit(
            f"{path} is there already. Stop the dashboard and move it away, or set HANDOVER_STATE to an empty folder."
        )


def load(source: Path) -> None:
    """Put the dump in the place of the empty database."""
    if source.name != NAMES[connection.vendor]:
        raise Unfit(
            f"The backup holds {source.name}, and this dashboard is set up for {connection.vendor}: set DATABASE_URL."
        )
    connection.close()
    if connection.vendor == "postgresql":
        name = str(connection.settings_dict["NAME"])
        _run("pg_restore", "--no-owner", "--single-transaction", "--exit-on-error", f"--dbname={name}", str(source))
        return
    _check(source)
    path = _path()
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    os.replace(source, path)


def _check(source: Path) -> None:
    """Unfit when SQLite finds something wrong with its pages, its indexes or what a constraint says."""
    try:
        with closing(sqlite3.connect(source)) as opened:
            # Django's own word, which constraints of ours use; SQLite has none.
            opened.create_function("REGEXP", 2, lambda pattern, text: bool(re.search(pattern, str(text))))
            (said,) = opened.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        raise Unfit(f"The database in the backup is damaged: {said}")


def _path() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _run(program: str, *arguments: str) -> None:
    said = connection.settings_dict
    keys = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    env = {**os.environ, **{name: str(said[key]) for name, key in keys.items() if said.get(key)}}
    if host := said.get("OPTIONS", {}).get("host"):
        env["PGHOST"] = str(host)
    try:
        ran = subprocess.run([program, *arguments], env=env, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unfit(f"{program} can't be run: {error.strerror}. Install PostgreSQL's client programs.") from error
    if ran.returncode:
        raise Unfit(f"{program} failed: {ran.stderr.strip()[-400:]}")
