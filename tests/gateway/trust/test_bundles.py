"""Bundles that are signed and must not be unpacked, and good ones with any one bit turned over."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.trust.conftest import Cast
from tests.gateway.trust.host import Host, Json, Member, Recipe, Release, hashed, member
from tests.gateway.trust.people import run

GIB = 1024**3
EVIL: dict[str, tuple[list[Member], str]] = {
    "up and out": ([member("../evil")], "has no plain path inside"),
    "up in the middle": ([member("lib/../../evil")], "has no plain path inside"),
    "an absolute path": ([member("/etc/cron.d/evil")], "has no plain path inside"),
    "a link out": ([member("lib", kind=tarfile.SYMTYPE, to="../../..")], "is a link out of the release"),
    "a link to a path": ([member("etc", kind=tarfile.SYMTYPE, to="/etc")], "is a link out of the release"),
    "through a link": (
        [member("a", kind=tarfile.SYMTYPE, to="."), member("a/a/b", kind=tarfile.SYMTYPE, to="../../../etc")],
        "is a link out of the release",
    ),
    "a hard link": ([member("lib/x", kind=tarfile.LNKTYPE, to="/etc/shadow")], "is neither file, folder nor"),
    "a device": ([member("dev", kind=tarfile.CHRTYPE)], "is neither file, folder nor"),
    "a pipe": ([member("pipe", kind=tarfile.FIFOTYPE)], "is neither file, folder nor"),
    "setuid": ([member("bin/su", b"x", mode=0o4755)], "is setuid, setgid or sticky"),
    "setgid": ([member("bin/su", b"x", mode=0o2755)], "is setuid, setgid or sticky"),
    "a name twice": ([member("sbin/ocserv", b"other", mode=0o755)], "twice"),
}


def refused(cast: Cast, host: Host, release: Release) -> tuple[str, str]:
    answer = host.stage(release, [cast.keys.sign("anna", release.sums)])
    assert not answer["ok"], answer
    assert list(host.paths.releases.iterdir()) == []
    return answer["error"]["code"], answer["error"]["say"]


@pytest.mark.parametrize("case", EVIL)
def test_a_member_that_may_not_be_unpacked(cast: Cast, host: Host, case: str) -> None:
    members, why = EVIL[case]
    code, say = refused(cast, host, Recipe(members=members).make(host))
    assert (code, why in say) == ("archive_unsafe", True), say


def test_a_bomb_is_refused_by_its_header(cast: Cast, host: Host) -> None:
    info, _ = member("lib/zeros")
    info.size = 5 * GIB
    code, say = refused(cast, host, repacked(host, info.tobuf()))
    assert (code, "unpacks to more than" in say) == ("archive_unsafe", True), say


def test_what_goes_on_behind_the_archives_end(cast: Cast, host: Host) -> None:
    for behind in (b"x" * 512, b"\0" * 20480 + b"x" * 200_000):
        code, say = refused(cast, host, repacked(host, b"\0" * 1024 + behind))
        assert (code, "goes on after the archive" in say) == ("archive_unsafe", True), say


def test_no_archive_and_no_programs(cast: Cast, host: Host) -> None:
    good = Recipe().make(host)
    for bundle, code in ((b"hello", "archive_unsafe"), (good.bundle[:-9], "archive_unsafe")):
        assert refused(cast, host, with_bundle(host, bundle))[0] == code
    empty = run(["zstd", "-qc"], stdin=b"\0" * 10240)
    assert refused(cast, host, with_bundle(host, empty)) == ("manifest_bad", "The bundle has no program sbin/ocserv.")


def repacked(host: Host, more: bytes) -> Release:
    """A release whose archive goes on with these bytes where its end was."""
    whole = run(["zstd", "-dqc"], stdin=Recipe().make(host).bundle)
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    return with_bundle(host, run(["zstd", "-qc"], stdin=whole[:end] + more))


def with_bundle(host: Host, bundle: bytes) -> Release:
    """A good release's papers, made for these bytes."""
    good = Recipe().make(host)
    old, new = hashed(good.bundle), hashed(bundle)
    manifest = good.manifest.replace(old, new).replace(f'"size": {len(good.bundle)}', f'"size": {len(bundle)}')
    sums = good.sums.replace(old, new).replace(good.digest, hashed(manifest.encode()))
    return Release(good.name, manifest, sums, bundle)


PARTS = ("manifest", "sums", "changelog", "bundle", "signature")


TURNS = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 6))  # where, as a share; which bit


@pytest.mark.parametrize("part", PARTS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turn=TURNS)
def test_any_one_bit_turned_over_is_refused(cast: Cast, host: Host, part: str, turn: tuple[float, int]) -> None:
    good = Recipe().make(host)
    changed, signed, sent = turned(good, cast.keys.sign("anna", good.sums), part=part, turn=turn)
    answer = host.stage(changed, [signed], sent=sent)
    assert not answer["ok"], (part, turn)
    assert not host.paths.release(good.name).exists()


def turned(good: Release, signature: Json, *, part: str, turn: tuple[float, int]) -> tuple[Release, Json, bytes]:
    """The release, its signature and the bundle as sent, with one bit of one part turned over."""
    if part == "bundle":
        return good, signature, flipped(good.bundle, turn)
    if part == "signature":
        return good, {**signature, "text": flipped(signature["text"].encode(), turn).decode()}, good.bundle
    papers = {name: getattr(good, name) for name in ("manifest", "sums", "changelog")}
    papers[part] = flipped(papers[part].encode(), turn).decode()
    return (
        Release(good.name, papers["manifest"], papers["sums"], good.bundle, papers["changelog"]),
        signature,
        good.bundle,
    )


def flipped(data: bytes, turn: tuple[float, int]) -> bytes:
    at = int(turn[0] * len(data))
    return data[:at] + bytes([data[at] ^ (1 << turn[1])]) + data[at + 1 :]
