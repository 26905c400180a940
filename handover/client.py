"""Calls to /api/v1: each write with a key of its own, so that a call that got lost is sent again and done once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request

from handover.config import Config
from handover.ground import ERROR, Ground, Stop

SECONDS = 60.0
UPLOAD_SECONDS = 1800.0
TRIES = 3
PIECE = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers by small letters, the JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Client:
    """One dashboard, as one token sees it."""

    def __init__(self, config: Config, ground: Ground) -> None:
        self.config, self.ground = config, ground

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Answer:
        return self.call("GET", path, query=query)

    def post(
        self, path: str, body: Mapping[str, Any], *, seen: str = "", query: Mapping[str, Any] | None = None
    ) -> Answer:
        """`seen`: the ETag of what was seen, for If-Match."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        headers.update({"If-Match": seen} if seen else {})
        return self.call("POST", path, data=json.dumps(body).encode(), headers=headers, query=query)

    def call(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Ask, and again where nobody answered. Stop(ERROR) with the sentence of a problem."""
        request = self.request(method, path, data=data, headers=headers, query=query)
        for turn in range(TRIES):
            try:
                return self.answer(self.ground.open(request, SECONDS))
            except HTTPError as refused:
                raise problem(refused) from None
            except (URLError, OSError) as silent:
                if turn == TRIES - 1:
                    raise Stop(ERROR, f"{self.config.url} does not answer: {why(silent)}") from None
                self.ground.sleep(1 + turn)
        raise AssertionError("the last turn returned or raised")

    def upload(self, path: str, files: Iterable[Path]) -> Answer:
        """Send files as one form, piece by piece: a release may be larger than the memory."""
        boundary = uuid.uuid4().hex
        parts = [(part_head(boundary, file), file) for file in files]
        end = f"--{boundary}--\r\n".encode()
        length = sum(len(head) + file.stat().st_size + 2 for head, file in parts) + len(end)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(length)}
        request = self.request("POST", path, data=pieces(parts, end), headers=headers)
        try:
            return self.answer(self.ground.open(request, UPLOAD_SECONDS))
        except HTTPError as refused:
            raise problem(refused) from None
        except (URLError, OSError) as silent:
            raise Stop(ERROR, f"The upload broke off: {why(silent)}") from None

    def download(self, path: str, out: Any) -> int:
        """Write the answer's bytes; return how many."""
        request = self.request("GET", path)
        try:
            answer, count = self.ground.open(request, UPLOAD_SECONDS), 0
            while piece := answer.read(PIECE):
                out.write(piece)
                count += len(piece)
            return count
        except HTTPError as refused:
            raise problem(refused) from None
        except (URLError, OSError) as silent:
            raise Stop(ERROR, f"The download broke off: {why(silent)}") from None

    def request(
        self,
        method: str,
        path: str,
        *,
        data: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Request:
        said = {name: text(value) for name, value in (query or {}).items() if value not in (None, "")}
        url = f"{self.config.url}/api/v1{quote(path)}" + (f"?{urlencode(said)}" if said else "")
        told = {"Authorization": f"Bearer {self.config.token}", "Accept": "application/json", **(headers or {})}
        return Request(url, data=data, headers=told, method=method)  # noqa: S310 - config lets http and https through

    @staticmethod
    def answer(came: Any) -> Answer:
        with came:
            raw = came.read()
            headers = {name.lower(): value for name, value in came.headers.items()}
        try:
            return Answer(came.status, headers, json.loads(raw))
        except ValueError:
            raise Stop(ERROR, "What answered is no dashboard: it sent no JSON.") from None


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def why(silent: BaseException) -> str:
    return str(getattr(silent, "reason", "") or silent or type(silent).__name__)


def problem(refused: HTTPError) -> Stop:
    """The sentence of an RFC 9457 problem, with the fields that are wrong."""
    with refused:
        raw = refused.read()
    try:
        said = json.loads(raw)
        say = str(said["detail"])
    except (ValueError, KeyError, TypeError):
        return Stop(ERROR, f"The dashboard answered {refused.code} {refused.reason}.")
    more = [f"  {one['at']}: {one['say']}" for one in said.get("errors", [])[1:]]
    return Stop(ERROR, "\n".join([say, *more]))


def part_head(boundary: str, file: Path) -> bytes:
    about = f'form-data; name="files"; filename="{file.name}"'
    return f"--{boundary}\r\nContent-Disposition: {about}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()


def pieces(parts: Iterable[tuple[bytes, Path]], end: bytes) -> Iterator[bytes]:
    for head, file in parts:
        yield head
        with file.open("rb") as source:
            while piece := source.read(PIECE):
                yield piece
        yield b"\r\n"
    yield end
