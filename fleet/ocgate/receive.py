"""Bytes of a bundle into a file: over the channel, or by curl with a download ticket. Resumes where it stopped."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict

from .call import Call
from .errors import Refused, Retry
from .run import ENV

STALLED_SECONDS = 20
CURL_STALLED = 28
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
    if _sha256(bundle) != call.args["sha256"]:
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
    argv = [
        "curl",
        "--config",
        "-",
        "--silent",
        "--fail",
        "--proto",
        "=http,https",
        "--max-redirs",
        "0",
        "--max-filesize",
        str(size),
    ]
    argv += [
        "--continue-at",
        "-",
        "--limit-rate",
        str(source["rate"]),
        "--speed-limit",
        "1",
        "--speed-time",
        str(STALLED_SECONDS),
    ]
    argv += ["--connect-timeout", str(STALLED_SECONDS), "--output", str(bundle)]
    # The ticket goes in on standard input: an argument list is read by every process on the machine.
    config = f'url = "{source["url"]}"\nheader = "Authorization: Bearer {source["ticket"]}"\n'
    call.progress("downloading", done=_length(bundle), total=size)
    done = subprocess.run(argv, input=config.encode(), capture_output=True, env=ENV, check=False)
    if done.returncode in CURL_NO_RANGE:
        bundle.unlink(missing_ok=True)
    if done.returncode == CURL_STALLED:
        raise Retry(
            "download_stalled",
            f"The download stalled for {STALLED_SECONDS} s at {_length(bundle)} of {size} bytes.",
        )
    if done.returncode == 23:
        raise OSError(28, "No space left on device")
    if done.returncode != 0:
        raise Retry(
            "bundle_cut_short",
            f"The download ended early (curl {done.returncode}) at {_length(bundle)} of {size} bytes.",
        )


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        for chunk in iter(lambda: source.read(1024 * 1024), b""):
            digest.update(chunk)
    return digest.hexdigest()
