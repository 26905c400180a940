"""Receiving a bundle: what stalls is given up and kept, what was begun goes on."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.ocgate import receive
from fleet.ocgate.call import Call
from fleet.ocgate.errors import Refused, Retry
from fleet.ocgate.wire import Reader
from tests.unit.ocgate.values import config, paths

DATA = bytes(range(256)) * 400


class Server(http.server.BaseHTTPRequestHandler):
    """Serves DATA, the rest of it on request; /stalls stops half-way until the test ends, /endless says no length."""

    tickets: list[str | None] = []
    ended = threading.Event()

    def do_GET(self) -> None:
        self.tickets.append(self.headers["Authorization"])
        if self.path == "/endless":
            self.pour()
            return
        begin = int((self.headers["Range"] or "bytes=0-")[6:].split("-")[0])
        self.send_response(206 if begin else 200)
        self.send_header("Content-Range", f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(DATA) - begin))
        self.end_headers()
        if self.path == "/stalls":
            self.wfile.write(DATA[: len(DATA) // 2])
            self.wfile.flush()
            self.ended.wait(20)
        else:
            self.wfile.write(DATA[begin:])

    def pour(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(DATA)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        return


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Server.ended.set()
    server.shutdown()
    server.server_close()


def call(folder: Path, source: dict[str, Any], raw: Reader | None = None) -> Call:
    args = {"size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest(), "source": source}
    return Call(paths=paths(folder), config=config(), args=args, fence=1, send=lambda _line: None, raw=raw)


def from_url(url: str) -> dict[str, Any]:
    return {"kind": "url", "url": url, "ticket": "secret", "rate": 10**8}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "STALLED_SECONDS", 1)


def test_a_stalled_download_is_given_up_and_its_part_goes_on(tmp_path: Path, url: str) -> None:
    bundle = tmp_path / "bundle"
    with pytest.raises(Retry) as stalled:
        receive.receive(call(tmp_path, from_url(url + "/stalls")), bundle)
    assert stalled.value.code == "download_stalled"
    assert bundle.read_bytes() == DATA[: len(DATA) // 2]
    receive.receive(call(tmp_path, from_url(url + "/whole")), bundle)
    assert bundle.read_bytes() == DATA
    assert set(Server.tickets) == {"Bearer secret"}


def test_more_than_was_asked_for_never_reaches_the_disk(tmp_path: Path, url: str) -> None:
    with pytest.raises(Refused, match="sent more than") as refusal:
        receive.receive(call(tmp_path, from_url(url + "/endless")), tmp_path / "bundle")
    assert refusal.value.code == "bundle_hash"
    assert not (tmp_path / "bundle").exists()


def test_one_address_is_one_request(tmp_path: Path, url: str) -> None:
    before = len(Server.tickets)
    with pytest.raises(Retry):
        receive.receive(call(tmp_path, from_url(url.replace("127", "[127-129]") + "/whole")), tmp_path / "bundle")
    assert len(Server.tickets) == before


def test_a_stalled_channel_is_given_up_and_closed(tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.write(sink, DATA[:1000])
    stalled = call(tmp_path, {"kind": "ssh"}, Reader(source, line_max=10))
    with pytest.raises(Retry) as refusal:
        receive.receive(stalled, tmp_path / "bundle")
    assert (refusal.value.code, stalled.close_after) == ("download_stalled", True)
    assert (tmp_path / "bundle").read_bytes() == DATA[:1000]
    os.close(source)
    os.close(sink)


def test_other_bytes_are_thrown_away(tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.write(sink, b"x" * 50_000)
    bundle = tmp_path / "bundle"
    bundle.write_bytes(b"y" * (len(DATA) - 50_000))
    with pytest.raises(Refused) as refusal:
        receive.receive(call(tmp_path, {"kind": "ssh"}, Reader(source, line_max=10)), bundle)
    assert refusal.value.code == "bundle_hash"
    assert not bundle.exists()
    os.close(source)
    os.close(sink)
