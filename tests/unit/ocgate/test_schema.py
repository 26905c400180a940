"""The closed schema: only exactly what the protocol names gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.ocgate import schema, shapes
from fleet.ocgate.errors import Refused

GOOD: dict[str, Any] = {"v": 2, "id": "7", "verb": "shift", "fence": 12}
SHIFT = {"weights": {"1": 75, "2": 25}, "seconds": 600}


def line(**changed: Any) -> bytes:
    return json.dumps({**GOOD, "args": SHIFT, **changed}).encode()


def test_a_good_request_is_read() -> None:
    request = schema.parse(line())
    assert (request.id, request.verb, request.fence) == ("7", "shift", 12)
    assert request.args == {"weights": {1: 75, 2: 25}, "seconds": 600}


def test_neighbouring_versions_are_accepted() -> None:
    assert schema.parse(line(v=4)).verb == "shift"
    assert schema.parse(line(v=3)).verb == "shift"


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 0},
        {"v": 1},
        {"v": 5},
        {"v": True},
        {"v": "1"},
        {"id": ""},
        {"id": 7},
        {"id": "a b"},
        {"verb": "trusted"},
        {"verb": ["facts"]},
        {"fence": -1},
        {"fence": 1.5},
        {"fence": True},
        {"extra": 1},
        {"args": []},
        {"args": {}},
        {"args": {**SHIFT, "more": 1}},
        {"args": {**SHIFT, "seconds": 0}},
        {"args": {**SHIFT, "after_ms": -1}},
        {"args": {**SHIFT, "after_ms": 30_001}},
        {"args": {**SHIFT, "seconds": 86401}},
        {"args": {**SHIFT, "weights": {"1": 75}}},
        {"args": {**SHIFT, "weights": {"1": 101, "2": -1}}},
        {"args": {**SHIFT, "weights": {"4": 100}}},
        {"args": {**SHIFT, "weights": {"1": 100.0}}},
    ],
)
def test_anything_else_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        schema.parse(line(**changed))
    assert refusal.value.code == "bad_request"


def test_a_shift_may_name_its_moment() -> None:
    assert schema.parse(line(args={**SHIFT, "after_ms": 30_000})).args["after_ms"] == 30_000


@pytest.mark.parametrize("text", ["", "x", "Sign in again by 18:00; it's upgraded (IT, 4711) [100 %]."])
def test_a_message_is_one_plain_line(text: str) -> None:
    asked = {"verb": "message", "args": {"slot": 1, "text": text}}
    assert schema.parse(line(**asked)).args["text"] == text


@pytest.mark.parametrize("text", [" x", "x ", "a #b", 'say "x"', "a\\nb", "a\nb", "\x7f", "heiß", "x" * 201])
def test_a_message_can_not_break_out_of_its_line(text: str) -> None:
    with pytest.raises(Refused, match="text"):
        schema.parse(line(verb="message", args={"slot": 1, "text": text}))


def test_names_are_asked_for_by_true_alone() -> None:
    drain = {"v": 2, "id": "1", "verb": "drain"}
    assert schema.parse(json.dumps({**drain, "args": {"slot": 1, "names": True}}).encode()).args["names"] is True
    for wrong in (False, 1, "true", None):
        with pytest.raises(Refused, match="names"):
            schema.parse(json.dumps({**drain, "args": {"slot": 1, "names": wrong}}).encode())


def test_only_verbs_that_change_take_a_fence_and_they_must() -> None:
    for name, verb in schema.VERBS.items():
        with pytest.raises(Refused, match="needs fence" if verb.changes else "takes no fence"):
            schema.parse(
                json.dumps({"v": 2, "id": "1", "verb": name} | ({} if verb.changes else {"fence": 1})).encode()
            )


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "a\nb", "a" * 65, "a b", "a;b", "ä"])
def test_a_release_is_a_folder_name_and_no_path(name: str) -> None:
    with pytest.raises(Refused):
        schema.parse(json.dumps({"v": 2, "id": "1", "verb": "check", "args": {"release": name, "slot": 1}}).encode())


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "file", "path": "/etc/shadow"},
        {"kind": "ssh", "url": "http://x/"},
        {"kind": "url", "url": "file:///etc/shadow", "ticket": "t", "rate": 10**6},
        {"kind": "url", "url": 'http://x/"\noutput = "/etc/x', "ticket": "t", "rate": 10**6},
        {"kind": "url", "url": "http://x/", "ticket": 't"\n', "rate": 10**6},
        {"kind": "url", "url": "http://x/", "ticket": "t"},
    ],
)
def test_a_source_can_name_no_file_and_break_no_line(source: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        shapes.source(source)


@pytest.mark.parametrize("data", [b"\xff", b"{", b"[]", b"null", b"[" * 200_000, b'{"v":NaN}', b'{"v":2,"v":2}'])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        schema.parse(data)


def test_a_line_over_the_limit_is_refused() -> None:
    with pytest.raises(Refused, match="longer"):
        schema.parse(b" " * (schema.LINE_MAX + 1))


def test_half_characters_and_the_names_of_unpacking_are_refused() -> None:
    check = {"release": "1.3.0-2", "slot": 1}
    assert schema.parse(json.dumps({"v": 2, "id": "1", "verb": "check", "args": check}).encode()).verb == "check"
    for verb, args in (
        ("check", {**check, "release": "1.3.0-2.partial"}),
        ("probe", {"slot": 1, "user": "\ud800", "password": ""}),
    ):
        with pytest.raises(Refused) as refusal:
            schema.parse(json.dumps({"v": 2, "id": "1", "verb": verb, "args": args}).encode())
        assert refusal.value.code == "bad_request"
