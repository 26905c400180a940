"""One row at a time by statements that are built once. Django builds each anew: that costs more than the database.

For what a worker does at every step. Values go through the model's fields, as Django's own do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Field, Model, QuerySet

M = TypeVar("M", bound=Model)


def update(
    model: type[Model], where: Mapping[str, Any], values: Mapping[str, Any], *, one_more: tuple[str, ...] = ()
) -> int:
    """Write `values` to the rows that are as `where` says, and count up `one_more`; return how many rows there were."""
    statement = _update(connection.vendor, model, tuple(where), (tuple(values), one_more))
    with connection.cursor() as cursor:
        cursor.execute(statement, [*_prepared(model, values), *_prepared(model, where)])
        return int(cursor.rowcount)


def insert(row: Model) -> None:
    """Write a new row; it gets its key if it has none yet."""
    model, keyed = type(row), row.pk is not None
    statement, fields = _insert(connection.vendor, model, keyed)
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        if not keyed:
            row.pk = cursor.fetchone()[0]
    row._state.adding, row._state.db = False, connection.alias


class Read(Generic[M]):
    """The same columns of one row after the other, by its key. `columns` may go over foreign keys."""

    def __init__(self, rows: Callable[[], QuerySet[M]], columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._rows = rows
        self._built: dict[str, tuple[str, dict[int, Any]]] = {}

    def get(self, pk: int) -> Sequence[Any]:
        """Their values; DoesNotExist's place is taken by a LookupError."""
        statement, converters = self._built.get(connection.vendor) or self._build()
        with connection.cursor() as cursor:
            cursor.execute(statement, [pk])
            row = cursor.fetchone()
        if row is None:
            raise LookupError(f"There is no row {pk}.")
        found = list(row)
        for place, (convert, expression) in converters.items():
            for one in convert:
                found[place] = one(found[place], expression, connection)
        return found

    def _build(self) -> tuple[str, dict[int, Any]]:
        compiler = self._rows().order_by().filter(pk=0).values_list(*self.columns).query.get_compiler("default")
        statement, _ = compiler.as_sql()
        built = statement, compiler.get_converters([column for column, *_ in compiler.select])
        self._built[connection.vendor] = built
        return built


def _prepared(model: type[Model], values: Mapping[str, Any]) -> list[Any]:
    plain = {name: value.pk if isinstance(value, Model) else value for name, value in values.items()}
    return [_field(model, name).get_db_prep_save(value, connection) for name, value in plain.items()]


@lru_cache(maxsize=512)
def _field(model: type[Model], name: str) -> Field[Any, Any]:
    """The column's field; a foreign key is named by its column, wave_id."""
    field = model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{model.__name__}.{name} is no column.")
    return field


@lru_cache(maxsize=512)
def _update(
    vendor: str, model: type[Model], where: tuple[str, ...], values: tuple[tuple[str, ...], tuple[str, ...]]
) -> str:
    written, one_more = values
    parts = [f"{_column(model, name)} = %s" for name in written]
    parts += [f"{_column(model, name)} = {_column(model, name)} + 1" for name in one_more]
    guard = " AND ".join(f"{_column(model, name)} = %s" for name in where)
    return f"UPDATE {_quoted(model._meta.db_table)} SET {', '.join(parts)} WHERE {guard}"  # nosec B608 # noqa: S608 - our columns


@lru_cache(maxsize=64)
def _insert(vendor: str, model: type[Model], keyed: bool) -> tuple[str, tuple[Field[Any, Any], ...]]:
    pk = model._meta.pk
    fields = tuple(field for field in model._meta.concrete_fields if keyed or field is not pk)
    names = ", ".join(_quoted(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    back = "" if keyed else f" RETURNING {_quoted(str(pk.column))}"
    return f"INSERT INTO {_quoted(model._meta.db_table)} ({names}) VALUES ({places}){back}", fields  # nosec B608 # noqa: S608 - as above


def _column(model: type[Model], name: str) -> str:
    return _quoted(str(_field(model, name).column))


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))
