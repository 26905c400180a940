"""Releases in a bucket: a real HTTP server that speaks S3, in a process of its own on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from pytest_django import Settings

from approvals.errors import Refused
from fleet.errors import RetryLater
from releases import services, storage
from releases.models import Release, TrustedSigner
from tests.browser.site import child, free_port
from tests.db.releases.cast import NOW, take_in
from tests.unit.releases import desk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("li")]
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
LI = desk.key("li")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    port = free_port()
    argv = (sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port))
    with child(argv, {**os.environ, **KEYS}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def bucket(server: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of the test's own, set as settings.py sets it for HANDOVER_S3_BUCKET."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    name = f"test-{tmp_path.name.replace('_', '-').lower()}"[:60].strip("-")
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket=name)
    client.close()
    place = {"bucket_name": name, "endpoint_url": server, "region_name": None, "location": "kept"}
    settings.STORAGES = {**settings.STORAGES, "releases": {"BACKEND": "releases.s3.Bucket", "OPTIONS": place}}
    settings.STATE = tmp_path / "state"
    return name


def names(server: str, bucket: str) -> list[str]:
    client = boto3.client("s3", endpoint_url=server)
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    client.close()
    return sorted(str(row["Key"]) for row in listed)


def test_a_release_is_kept_there_and_comes_back(server: str, bucket: str, tmp_path: Path, repository: Path) -> None:
    folder = desk.release(tmp_path / "in", LI)
    release = take_in(folder)
    assert names(server, bucket) == sorted(f"kept/{release.digest}/{path.name}" for path in folder.iterdir())
    assert list(repository.iterdir()) == []
    given = services.files(release, now=NOW)
    assert given.bundle == tmp_path / "state" / "bundles" / release.sha256
    assert given.bundle.read_bytes() == (folder / "bundle.tar.zst").read_bytes()


def test_what_is_refused_leaves_nothing_there(server: str, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        take_in(desk.release(tmp_path / "in", desk.key("eve")))
    assert names(server, bucket) == []


def test_a_record_that_fails_takes_it_back(
    server: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no record")

    monkeypatch.setattr(services, "_keep", broken)
    with pytest.raises(RuntimeError, match="no record"):
        take_in(desk.release(tmp_path / "in", LI))
    assert names(server, bucket) == []


def test_a_lost_or_changed_bundle_is_mended(server: str, bucket: str, tmp_path: Path) -> None:
    release = take_in(desk.release(tmp_path / "in", LI))
    storage.kept().delete(release.bundle)
    with pytest.raises(Refused, match="in the repository has 0 of"):
        services.files(release, now=NOW)
    assert take_in(tmp_path / "in") == release
    assert services.files(release, now=NOW).bundle.exists()


def test_a_bundle_with_another_hash_is_not_used(tmp_path: Path) -> None:
    release = take_in(desk.release(tmp_path / "in", LI))
    with pytest.raises(RetryLater, match="with another hash"):
        storage.path_of(release.bundle, sha256="0" * 64)
    assert [path.name for path in (tmp_path / "state" / "bundles").iterdir()] == []


def test_few_copies_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "CACHED_MOST", 1)
    for number in (2, 3):
        packed = desk.bundle(desk.member(f"lib/x{number}"))
        last = take_in(desk.release(tmp_path / f"in{number}", LI, packed=packed, release=f"1.3.0-{number}"))
        services.files(last, now=NOW)
    assert [path.name for path in (tmp_path / "state" / "bundles").iterdir()] == [last.sha256]


def test_a_storage_that_is_down_is_no_answer(tmp_path: Path, settings: Settings, li: TrustedSigner) -> None:
    release = take_in(desk.release(tmp_path / "in", LI))
    options = {**settings.STORAGES["releases"]["OPTIONS"], "endpoint_url": f"http://127.0.0.1:{free_port()}"}
    settings.STORAGES = {**settings.STORAGES, "releases": {"BACKEND": "releases.s3.Bucket", "OPTIONS": options}}
    with pytest.raises(RetryLater, match="The storage of releases does not answer"):
        services.files(release, now=NOW)
    other = desk.release(tmp_path / "other", LI, release="1.3.0-3")
    with pytest.raises(Refused, match="Nothing was kept"):
        take_in(other)
    assert Release.objects.count() == 1
