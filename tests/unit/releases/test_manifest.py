from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.errors import Refused
from releases.manifest import parse, parse_sums
from tests.unit.releases import desk

GOOD = desk.manifest(b"bundle")


def say(data: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        parse(data)
    return refusal.value.say


def test_reads_a_good_one() -> None:
    said = parse(GOOD)
    assert (said.release, said.version, said.counter, said.state_migration) == ("1.3.0-2", "1.3.0", 1003000, False)
    assert said.built == datetime(2026, 11, 23, tzinfo=UTC)
    assert (said.bundle_size, said.bundle_sha256) == (6, desk.sha256(b"bundle"))


@pytest.mark.parametrize(
    ("field", "value", "wish"),
    [
        ("format", 2, "1"),
        ("format", True, "1"),
        ("release", "../etc", "a name like 1.3.0-2"),
        ("release", "", "a name like 1.3.0-2"),
        ("release", "a" * 65, "a name like 1.3.0-2"),
        ("release", "1.3.0\n", "a name like 1.3.0-2"),
        ("release", 7, "a name like 1.3.0-2"),
        ("version", "1 3", "a word"),
        ("product", None, "a word"),
        ("counter", 0, "a whole number from 1"),
        ("counter", "7", "a whole number from 1"),
        ("counter", 2**63, "a whole number from 1"),
        ("built", "2026-02-30T00:00:00Z", "a UTC time"),
        ("built", "2026-11-23 00:00:00", "a UTC time"),
        ("source", "a\x1b[2J", "printable text"),
        ("architecture", "amd 64", "a word like amd64"),
        ("bundle", [], "an object"),
        ("state_migration", 0, "true or false"),
    ],
)
def test_a_wrong_value_is_named(field: str, value: Any, wish: str) -> None:
    changed = {**json.loads(GOOD), field: value}
    assert say(json.dumps(changed).encode()).startswith(f"manifest.json: {field} must be {wish}")


@pytest.mark.parametrize(
    ("field", "value"), [("name", "x.tar"), ("size", 0), ("size", 2**40), ("sha256", "A" * 64), ("sha256", "")]
)
def test_a_wrong_bundle_is_named(field: str, value: Any) -> None:
    changed = json.loads(GOOD)
    changed["bundle"][field] = value
    assert say(json.dumps(changed).encode()).startswith(f"manifest.json: bundle.{field} must be ")


SAID = {"builder": "ci 7", "source": "https://example.org/ocserv.git", "revision": "4f2a", "place": "build-3"}


def test_provenance_is_read_and_may_be_left_out() -> None:
    assert parse(desk.manifest(b"bundle", provenance=SAID)).provenance == SAID
    assert parse(GOOD).provenance == {}


@pytest.mark.parametrize(
    ("provenance", "sentence"),
    [
        ([], "manifest.json: provenance must be an object."),
        (
            {**SAID, "place": "a\x1b[2J"},
            "manifest.json: provenance.place must be printable text of at most 200 characters.",
        ),
        ({**SAID, "more": ""}, "manifest.json has fields that this version does not know: 'more'."),
        ({"builder": "ci 7"}, "manifest.json lacks provenance.place, provenance.revision, provenance.source."),
    ],
)
def test_a_wrong_provenance_is_named(provenance: Any, sentence: str) -> None:
    assert say(desk.manifest(b"bundle", provenance=provenance)) == sentence


@pytest.mark.parametrize("prefix", ["/usr", "/var/lib/ocgate/releases/other", "/var/lib/ocgate/releases/1.3.0-2/"])
def test_another_prefix_is_refused(prefix: str) -> None:
    assert "but must be '/var/lib/ocgate/releases/1.3.0-2'" in say(desk.manifest(b"x", prefix=prefix))


def test_a_field_given_twice_is_refused() -> None:
    assert say(GOOD.replace(b'{"format": 1,', b'{"format": 1, "format": 1,')) == "manifest.json gives format twice."
    assert say(GOOD.replace(b'{"name"', b'{"size": 1, "name"')) == "manifest.json gives size twice."


def test_an_unknown_field_is_refused() -> None:
    assert "does not know: 'run'" in say(desk.manifest(b"", run="rm"))


def test_a_missing_field_is_named() -> None:
    assert say(b'{"format": 1}').startswith("manifest.json lacks architecture, built, bundle, counter")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"1.0", b"NaN", b"\xff", b'"\\', b"[" * 16000, b"\xef\xbb\xbf{}", b"9" * 9999]
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    assert say(data).startswith("manifest.json")


class TestSums:
    FILES = {"manifest.json": b"1", "CHANGELOG.md": b"2", "bundle.tar.zst": b"3"}
    GOOD = desk.sums(FILES)

    def test_reads_a_good_one(self) -> None:
        assert parse_sums(self.GOOD) == {name: desk.sha256(data) for name, data in self.FILES.items()}

    @pytest.mark.parametrize(
        ("data", "say"),
        [
            (b"", "wrong: CHANGELOG.md, bundle.tar.zst, manifest.json"),
            (GOOD[:-1], "cut short"),
            (GOOD[70:], "line 1, is not a hash"),
            (GOOD.replace(b"  ", b" *"), "line 1, is not a hash"),
            (GOOD.replace(b"\n", b"\r\n"), "line 1, is not a hash"),
            (GOOD.replace(b"CHANGELOG.md", b"../x/../x"), "line 1, is not a hash"),
            (GOOD + GOOD, "names CHANGELOG.md twice"),
            (GOOD.replace(b"manifest.json", b"manifest.jsom"), "wrong: manifest.jsom, manifest.json"),
            (desk.sums({**FILES, "more": b""}), "wrong: more"),
            (desk.sums({"manifest.json": b""}), "wrong: CHANGELOG.md, bundle.tar.zst"),
        ],
    )
    def test_a_bad_one_is_refused(self, data: bytes, say: str) -> None:
        with pytest.raises(Refused, match=say):
            parse_sums(data)
