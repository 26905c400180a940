"""Triggers that keep the record and its checkpoints append-only. Used by migrations, and by the tests that have to
empty the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

RECORD, CHECKPOINTS = "auditevent", "checkpoint"
_KEYS = {RECORD: ("seq", "hash"), CHECKPOINTS: ("number",)}  # what INSERT OR REPLACE would find taken
_SAY = {RECORD: "the record is append-only", CHECKPOINTS: "the checkpoints of the record are append-only"}
_BOTH = (RECORD, CHECKPOINTS)


def install(connection: BaseDatabaseWrapper, tables: Sequence[str] = _BOTH) -> None:
    """Refuse UPDATE, DELETE and (PostgreSQL) TRUNCATE on the record and its checkpoints from now on."""
    _run(connection, {"sqlite": _sqlite, "postgresql": _postgresql}, tables)


def remove(connection: BaseDatabaseWrapper, tables: Sequence[str] = _BOTH) -> None:
    """Undo install; harmless where nothing is installed."""
    _run(connection, {"sqlite": _sqlite_off, "postgresql": _postgresql_off}, tables)


def _sqlite(table: str) -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_SAY[table]}'); END"
    taken = " OR ".join(f"{key} = NEW.{key}" for key in _KEYS[table])
    on = f"ON approvals_{table}"
    return [
        *(f"CREATE TRIGGER {table}_no_{what} BEFORE {what.upper()} {on} {refuse}" for what in ("update", "delete")),
        # INSERT OR REPLACE deletes without firing the DELETE trigger, unless recursive_triggers is on.
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT {on}"  # nosec B608 # noqa: S608 - constants only
        f" WHEN EXISTS (SELECT 1 FROM approvals_{table} WHERE {taken}) {refuse}",
    ]


def _sqlite_off(table: str) -> list[str]:
    return [f"DROP TRIGGER IF EXISTS {table}_no_{what}" for what in ("update", "delete", "replace")]


def _postgresql(table: str) -> list[str]:
    refuse = f"EXECUTE FUNCTION {table}_refuse()"
    return [
        f"""CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{_SAY[table]}'; END $$""",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON approvals_{table} FOR EACH ROW {refuse}",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON approvals_{table} FOR EACH STATEMENT {refuse}",
    ]


def _postgresql_off(table: str) -> list[str]:
    return [
        f"DROP TRIGGER IF EXISTS {table}_no_change ON approvals_{table}",
        f"DROP TRIGGER IF EXISTS {table}_no_truncate ON approvals_{table}",
        f"DROP FUNCTION IF EXISTS {table}_refuse()",
    ]


def _run(
    connection: BaseDatabaseWrapper, statements: dict[str, Callable[[str], list[str]]], tables: Sequence[str]
) -> None:
    if connection.vendor not in statements:
        raise NotImplementedError(f"The record has no triggers for {connection.vendor}. Use SQLite or PostgreSQL.")
    with connection.cursor() as cursor:
        for table in tables:
            for statement in statements[connection.vendor](table):
                cursor.execute(statement)
