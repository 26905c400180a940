"""Adding a release by upload: pieces go to the repository, the service judges, the page says what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from approvals.models import AuditEvent
from releases import uploads
from releases.models import Release
from tests.db.releases.cast import trust
from tests.unit.releases import desk
from tests.web.asgi import Answer, form, post, token
from tests.web.conftest import STAINS

Browse = Callable[[str], Client]
PAGE, API = "/releases/add/", "/api/releases/"


@pytest.fixture(autouse=True)
def repository(settings: Any, tmp_path: Path) -> Path:
    settings.REPOSITORY = tmp_path / "repository"
    return tmp_path / "repository"


@pytest.fixture
def release(tmp_path: Path) -> list[tuple[str, bytes]]:
    """The files of a good release, in the order in which a folder may give them."""
    trust("li")
    folder = desk.release(tmp_path / "in", desk.key("li"), packed=desk.bundle(desk.member("lib/libx.so.1")))
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def send(client: Client, files: list[tuple[str, bytes]], path: str = PAGE, **headers: str) -> Answer:
    return post(client, path, form(files, csrfmiddlewaretoken=token(client)), headers=headers)


def left(repository: Path) -> list[Path]:
    return sorted(repository.rglob("*")) if repository.exists() else []


@pytest.mark.parametrize("backwards", [True, False])
def test_a_good_release_is_kept(browse: Browse, release: Any, repository: Path, backwards: bool) -> None:
    answer = send(browse("operator"), list(reversed(release)) if backwards else release)
    kept = Release.objects.get()
    assert (answer.status, answer.headers["location"]) == (302, f"/releases/{kept.pk}/")
    assert {path.name: path.read_bytes() for path in (repository / kept.digest).iterdir()} == dict(release)
    assert [path.name for path in repository.iterdir()] == [kept.digest]


def test_records_who_added_it(browse: Browse, release: Any) -> None:
    send(browse("operator"), release)
    event = AuditEvent.objects.get(verb="release.added")
    assert "operator" in event.actor
    assert Release.objects.get().added_by.username == "operator"  # type: ignore[union-attr]  # a person did


def test_the_second_time_nothing_happens(browse: Browse, release: Any, repository: Path) -> None:
    client = browse("operator")
    first, before = send(client, release), left(repository)
    events = AuditEvent.objects.count()
    assert send(client, release).headers["location"] == first.headers["location"]
    assert (left(repository), AuditEvent.objects.count()) == (before, events)


def test_the_api_says_what_was_added(browse: Browse, release: Any) -> None:
    answer = send(browse("operator"), release, API)
    said, kept = json.loads(answer.content), Release.objects.get()
    assert (answer.status, said["name"], said["digest"]) == (201, "1.3.0-2", kept.digest)
    assert said["contents"] == {"files": 3, "unpacked": 12, "libraries": ["libx.so.1"]}


def test_the_api_takes_the_token_in_a_header(browse: Browse, release: Any) -> None:
    client = browse("operator")
    assert post(client, API, form(release), headers={"x-csrftoken": token(client)}).status == 201


@pytest.mark.parametrize("path", [PAGE, API])
def test_a_forged_form_is_refused(browse: Browse, release: Any, repository: Path, path: str) -> None:
    assert post(browse("operator"), path, form(release)).status == 403
    assert (left(repository), Release.objects.count()) == ([], 0)


@pytest.mark.parametrize("who", ["oncall", "auditor", "stranger"])
def test_needs_the_right(browse: Browse, release: Any, repository: Path, who: str) -> None:
    assert [send(browse(who), release, path).status for path in (PAGE, API)] == [403, 403]
    assert not repository.exists()


@pytest.mark.parametrize(("path", "status"), [(PAGE, 403), (API, 403)])
def test_nobody_sends_anything(browse: Browse, repository: Path, path: str, status: int) -> None:
    assert send(browse("anonymous"), [("manifest.json", b"{}")], path).status == status
    assert not repository.exists()


@pytest.mark.parametrize("path", [PAGE, API])
def test_refusal_is_named_and_recorded(browse: Browse, repository: Path, path: str) -> None:
    answer = send(browse("operator"), [("manifest.json", b"{}")], path)
    assert (answer.status, left(repository), Release.objects.count()) == (422, [], 0)
    event = AuditEvent.objects.get(verb="release.refused")
    assert "operator" in event.actor
    assert event.reason in (json.loads(answer.content)["error"] if path == API else answer.content.decode())
    assert STAINS.search(answer.content.decode()) is None


@pytest.mark.parametrize("at", [0.1, 0.5, 0.99])
def test_a_cut_upload_leaves_nothing(browse: Browse, release: Any, repository: Path, at: float) -> None:
    client = browse("operator")
    body = form(release, csrfmiddlewaretoken=token(client))
    assert post(client, PAGE, body[: int(len(body) * at)], cut=True).status == 0
    assert (left(repository), Release.objects.count()) == ([], 0)


def test_an_upload_without_its_end_is_refused(browse: Browse, release: Any, repository: Path) -> None:
    client = browse("operator")
    body = form(release, whole=False, csrfmiddlewaretoken=token(client))
    assert b"The upload was cut short" in post(client, API, body, headers={"x-csrftoken": token(client)}).content
    assert left(repository) == []


def test_what_is_no_file_of_a_release_is_dropped(browse: Browse, release: Any, tmp_path: Path) -> None:
    more = [("../../escaped", b"x"), ("C:\\temp\\recipe", b"x"), ("", b"")]
    assert send(browse("operator"), [*release, *more]).status == 302
    assert not [path for path in tmp_path.rglob("*") if path.name in ("escaped", "recipe")]


@pytest.mark.parametrize(
    ("files", "say"),
    [
        ([], "No file came with the form. Choose all files of the release, SHA256SUMS.asc among them."),
        ([(f"f{number}", b"") for number in range(21)], "More than 20 files came with the form"),
        ([("SHA256SUMS", b"a"), ("SHA256SUMS", b"b")], "SHA256SUMS came twice with the form."),
        ([("manifest.json", bytes(17_000))], "manifest.json is larger than 16384 bytes."),
    ],
)
def test_each_refusal_has_its_sentence(browse: Browse, repository: Path, files: Any, say: str) -> None:
    answer = send(browse("operator"), files, API)
    assert (answer.status, left(repository)) == (422, [])
    assert json.loads(answer.content)["error"].startswith(say)


def test_a_huge_upload_is_refused_before_it_came(browse: Browse, repository: Path) -> None:
    answer = send(browse("operator"), [("recipe", bytes(2**21))], API, **{"content-length": str(3 * 2**30)})
    assert json.loads(answer.content)["error"].startswith("The upload is larger than the 2148532224 bytes")
    assert left(repository) == []


def test_part_comes_back_to_htmx(browse: Browse) -> None:
    headers = {"hx-request": "true", "hx-target": "add-notice"}
    answer = send(browse("operator"), [("manifest.json", b"")], **headers)
    assert b'id="notice"' in answer.content
    assert b"<html" not in answer.content


def test_pieces_are_not_gathered_in_memory(tmp_path: Path) -> None:
    upload = uploads.Upload(tmp_path, "multipart/form-data; boundary=b")
    upload.feed(b'--b\r\nContent-Disposition: form-data; name="files"; filename="bundle.tar.zst"\r\n\r\n')
    for number in range(1, 4):
        upload.feed(bytes(100_000))
        assert (tmp_path / "bundle.tar.zst").stat().st_size >= number * 100_000 - 10
    upload.close()


def test_a_form_of_many_names_is_refused(tmp_path: Path) -> None:
    upload = uploads.Upload(tmp_path, "multipart/form-data; boundary=b")
    for number in range(100):
        upload.feed(b'--b\r\nContent-Disposition: form-data; name="n%d"\r\n\r\n\r\n' % number)
    assert upload.refusal == "The form has more than 50 fields."
    assert len(upload.fields) == 50
