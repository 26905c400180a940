"""Statements as text: one form, one kind, one gateway, a time; any other is refused before a signature is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.ocgate import statement
from fleet.ocgate.errors import Refused

NOW = statement.moment("2026-11-23T07:00:00Z")
FIELDS: dict[str, Any] = {
    "format": 1,
    "kind": "downgrade",
    "gateway": "*",
    "made": "2026-11-23T06:00:00Z",
    "expires": "2026-11-23T08:00:00Z",
    "digest": "0" * 64,
}


def parse(text: str) -> dict[str, Any]:
    return statement.parse(text, kind="downgrade", gateway="fra-gw-01", now=NOW)


@pytest.mark.parametrize("gateway", ["*", "fra-gw-01"])
def test_a_statement_for_all_or_for_this_gateway_is_read(gateway: str) -> None:
    fields = {**FIELDS, "gateway": gateway}
    assert parse(statement.canonical(fields)) == fields


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"gateway": "ams-gw-01"}, "statement_bad"),
        ({"gateway": ["fra-gw-01"]}, "statement_bad"),
        ({"kind": "config"}, "statement_bad"),
        ({"format": 2}, "statement_bad"),
        ({"expires": "2026-11-23T07:00:00Z"}, "statement_expired"),
        ({"expires": "never"}, "statement_bad"),
        ({"expires": 2_000_000_000}, "statement_bad"),
        ({"made": "2026-13-45T07:00:00Z"}, "statement_bad"),
        ({"made": "2026-11-25T07:00:00Z", "expires": "2027-11-25T07:00:00Z"}, "statement_bad"),
    ],
)
def test_any_other_is_refused(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as no:
        parse(statement.canonical({**FIELDS, **changed}))
    assert no.value.code == code


@pytest.mark.parametrize("missing", sorted(statement.COMMON))
def test_nothing_may_be_missing(missing: str) -> None:
    with pytest.raises(Refused, match="lacks one of"):
        parse(statement.canonical({name: value for name, value in FIELDS.items() if name != missing}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]\n",
        "null\n",
        statement.canonical(FIELDS)[:-1],
        statement.canonical(FIELDS) + "\n",
        statement.canonical(FIELDS).replace(",", ", ", 1),
        statement.canonical(FIELDS).replace('"format":1', '"format":1,"format":1'),
        statement.canonical(FIELDS).replace("downgrade", "down\\u0067rade"),
        "[" * 100_000,
    ],
)
def test_only_the_canonical_form_is_read(text: str) -> None:
    with pytest.raises(Refused) as no:
        parse(text)
    assert no.value.code == "statement_bad"
