"""Bytes of a bundle into a file: over the channel, or by curl with a download ticket. Resumes where it stopped."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Dict, List

from .call import Call
from .errors import Refused, Retry
from .run import ENV

STALLED_SECONDS = 20
TELL_SECONDS = 2.0
CURL_STALLED, CURL_WRITE_FAILED = 28, 23
CURL_NO_RANGE = (33, 36)


def receive(call: Call, bundle: Path) -> None:
    """Make `bundle` whole and of the hash that was asked for, or raise; a part is kept for the next try."""
    size: int = call.args["size"]
    if bundle.exists() and bundle.stat().st_size > size:
        bundle.unlink()
    source: Dict[str, str] = call.args["source"]
    if source["kind"] == "ssh":
        _over_channel(call, bundle, size)
    elif source["kind"] == "file":
        # Only the installer says this; the schema knows no such source.
        shutil.copyfile(source["path"], bundle)
    elif _length(bundle) < size:
        _by_curl(call, bundle, size)
    if _length(bundle) < size:
        say = f"The bundle was cut short: {_length(bundle)} of {size} bytes came. Stage again; it goes on from there."
        raise Retry("bundle_cut_short", say)
    if sha256_of(bundle) != call.args["sha256"]:
        bundle.unlink()
        raise Refused("bundle_hash", "The bundle's SHA-256 is not the one in the signed manifest; it was thrown away.")


def _over_channel(call: Call, bundle: Path, size: int) -> None:
    if call.raw is None:
        raise Refused("bad_request", "This channel can't carry a bundle.")
    done = _length(bundle)
    call.progress("send", done=done, total=size)
    # Until the last byte came, what is under way must not be read as a request.
    call.close_after = True
    with bundle.open("ab") as out:
        while done < size:
            chunk = call.raw.raw(min(65536, size - done), timeout=STALLED_SECONDS)
            if chunk is None:
                raise Retry(
                    "download_stalled",
                    f"No bytes came for {STALLED_SECONDS} s at {done} of {size}; the part is kept.",
                )
            if not chunk:
                break
            out.write(chunk)
            done += len(chunk)
        out.flush()
        os.fsync(out.fileno())
    call.close_after = done < size


def _by_curl(call: Call, bundle: Path, size: int) -> None:
    source = call.args["source"]
    # The ticket goes in on standard input: an argument list is read by every process on the machine.
    config = f'url = "{source["url"]}"\nheader = "Authorization: Bearer {source["ticket"]}"\n'
    call.progress("downloading", done=_length(bundle), total=size)
    argv = curl_line(bundle, size=size, rate=int(source["rate"]))
    code = _watched(call, argv, config.encode(), bundle)
    if code in CURL_NO_RANGE:
        bundle.unlink(missing_ok=True)
    if code == CURL_STALLED:
        say = f"The download stalled for {STALLED_SECONDS} s at {_length(bundle)} of {size} bytes; the part is kept."
        raise Retry("download_stalled", say)
    if code == -signal.SIGXFSZ:
        bundle.unlink(missing_ok=True)
        raise Refused("bundle_hash", f"The server sent more than the {size} bytes of the bundle; it was thrown away.")
    if code == CURL_WRITE_FAILED:
        raise OSError(errno.ENOSPC, "No space left on device")
    if code != 0:
        say = f"The download ended early (curl {code}) at {_length(bundle)} of {size} bytes."
        raise Retry("bundle_cut_short", say)


def _watched(call: Call, argv: List[str], config: bytes, bundle: Path) -> int:
    """Run curl and tell how far it is: the controller takes long silence for a worker that died. Its exit code."""
    quiet = subprocess.DEVNULL
    # curl before 8.4 heeds --max-filesize only where the server says a length: one that says none would fill the disk.
    most = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (call.args["size"], call.args["size"]))
    child = subprocess.Popen(  # noqa: PLW1509  # ocgate has one thread
        argv, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env=ENV, preexec_fn=most
    )
    try:
        assert child.stdin is not None  # nosec B101 # tells the type checker what PIPE means
        with contextlib.suppress(BrokenPipeError), child.stdin as stdin:
            stdin.write(config)
        while True:
            try:
                return child.wait(TELL_SECONDS)
            except subprocess.TimeoutExpired:
                call.progress("downloading", done=_length(bundle), total=call.args["size"])
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def curl_line(bundle: Path, *, size: int, rate: int) -> List[str]:
    """The command that resumes a download into `bundle`; url and ticket come on its standard input. Pure."""
    limits = ["--max-filesize", str(size), "--limit-rate", str(rate)]
    stalled = ["--speed-limit", "1", "--speed-time", str(STALLED_SECONDS), "--connect-timeout", str(STALLED_SECONDS)]
    closed = ["--proto", "=http,https", "--max-redirs", "0", "--globoff"]
    base = ["curl", "--config", "-", "--silent", "--fail", "--continue-at", "-", "--output", str(bundle)]
    return [*base, *closed, *limits, *stalled]


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, "" when it can't be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source:
            for chunk in iter(lambda: source.read(1024 * 1024), b""):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()
