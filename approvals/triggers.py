"""Triggers that keep the record append-only. Used by a migration, and by the tests that have to empty the table."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

_SAY = "the record is append-only"

_SQLITE = [
    f"""CREATE TRIGGER auditevent_no_{what.lower()} BEFORE {what} ON approvals_auditevent
    BEGIN SELECT RAISE(ABORT, '{_SAY}'); END"""
    for what in ("UPDATE", "DELETE")
] + [
    # INSERT OR REPLACE deletes without firing the DELETE trigger, unless recursive_triggers is on.
    """CREATE TRIGGER auditevent_no_replace BEFORE INSERT ON approvals_auditevent
    WHEN EXISTS (SELECT 1 FROM approvals_auditevent WHERE seq = NEW.seq OR hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END"""
]
_SQLITE_OFF = [f"DROP TRIGGER IF EXISTS auditevent_no_{what}" for what in ("update", "delete", "replace")]

_POSTGRESQL = [
    f"""CREATE FUNCTION auditevent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{_SAY}'; END $$""",
    """CREATE TRIGGER auditevent_no_change BEFORE UPDATE OR DELETE ON approvals_auditevent
    FOR EACH ROW EXECUTE FUNCTION auditevent_refuse()""",
    """CREATE TRIGGER auditevent_no_truncate BEFORE TRUNCATE ON approvals_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION auditevent_refuse()""",
]
_POSTGRESQL_OFF = [
    "DROP TRIGGER IF EXISTS auditevent_no_change ON approvals_auditevent",
    "DROP TRIGGER IF EXISTS auditevent_no_truncate ON approvals_auditevent",
    "DROP FUNCTION IF EXISTS auditevent_refuse()",
]


def install(connection: BaseDatabaseWrapper) -> None:
    """Refuse UPDATE, DELETE and (PostgreSQL) TRUNCATE on the record from now on."""
    _run(connection, {"sqlite": _SQLITE, "postgresql": _POSTGRESQL})


def remove(connection: BaseDatabaseWrapper) -> None:
    """Undo install; harmless where nothing is installed."""
    _run(connection, {"sqlite": _SQLITE_OFF, "postgresql": _POSTGRESQL_OFF})


def _run(connection: BaseDatabaseWrapper, statements: dict[str, list[str]]) -> None:
    if connection.vendor not in statements:
        raise NotImplementedError(f"The record has no triggers for {connection.vendor}. Use SQLite or PostgreSQL.")
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
