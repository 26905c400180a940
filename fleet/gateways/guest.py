"""An SSH login that a person lends us for one errand as root: used in memory, then forgotten. Pinned host keys only."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import paramiko

from fleet.errors import GiveUp, RetryLater
from fleet.gateways.dial import Target, private_key, reached

SECONDS = 300.0  # for the whole errand: an installation takes some twenty
LINES_MOST = 400
LINE_MOST = 300  # characters
_FOLDER = re.compile(rb"/tmp/handover\.[A-Za-z0-9]{6,12}")
_ODD = re.compile(r"[^\x20-\x7e\u00a0-\U0010ffff]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Login:
    """Who signs in, with a password or a private key. Never stored; not in `repr`, so in no log and no traceback."""

    user: str
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)


class Guest:
    """One connection with a lent login."""

    def __init__(self, target: Target, login: Login) -> None:
        self._login, self._target = login, target
        self._deadline = time.monotonic() + SECONDS
        self._transport = reached(target)
        try:
            self._sign_in()
        except BaseException:
            self._transport.close()
            raise

    def close(self) -> None:
        self._transport.close()

    def bring(self, data: bytes, name: str) -> str:
        """Put a file into a folder of its own there; return the folder."""
        script = f'umask 077; d=$(mktemp -d /tmp/handover.XXXXXXXX) && cat > "$d"/{shlex.quote(name)} && echo "$d"'
        channel = self._started(script)
        channel.sendall(data)
        channel.shutdown_write()
        said = b"\n".join(self._output(channel))
        folder = said.strip()
        if channel.recv_exit_status() != 0 or not _FOLDER.fullmatch(folder):
            raise GiveUp(
                f"{self._target.name} kept no file for {self._login.user}: {clean(said)[:200]}", code="refused"
            )
        return folder.decode()

    def as_root(self, script: str) -> Iterator[str]:
        """Run a script of ours as root; yields its lines. GiveUp when it ends with an error."""
        words = f"sh -c {shlex.quote(script)}"
        if self._login.user != "root":
            # The password goes to sudo's standard input: what stands in a command line, everybody there may read.
            words = f"sudo -S -p '' -- {words}"
        channel = self._started(f"{words} 2>&1")
        if self._login.user != "root":
            channel.sendall(self._login.password.encode() + b"\n")
        channel.shutdown_write()
        last = ""
        for raw in self._output(channel):
            if last := clean(raw):
                yield last.replace(self._login.password, "…") if self._login.password else last
        if (code := channel.recv_exit_status()) != 0:
            raise GiveUp(f"{self._target.name} ended it with {code}: {last or 'no reason given'}", code="refused")

    def _sign_in(self) -> None:
        try:
            if self._login.key:
                key = private_key(self._login.key.encode(), name="What was typed in as the key")
                self._transport.auth_publickey(self._login.user, key)
            else:
                self._transport.auth_password(self._login.user, self._login.password, fallback=False)
        except paramiko.AuthenticationException:
            # Without the library's own words and cause: no part of the secret may travel in them.
            raise GiveUp(f"{self._target.name} does not let {self._login.user} in.", code="auth_refused") from None
        except (paramiko.SSHException, EOFError, OSError):
            raise RetryLater(f"{self._target.name} broke off the sign-in.", code="unreachable") from None

    def _started(self, command: str) -> paramiko.Channel:
        try:
            channel = self._transport.open_session(timeout=10)
            channel.settimeout(20)
            channel.exec_command(command)  # nosec B601 # quoted by us: kit.script and shlex
        except (paramiko.SSHException, EOFError, OSError):
            raise RetryLater(f"{self._target.name} opened no channel.", code="unreachable") from None
        return channel

    def _output(self, channel: paramiko.Channel) -> Iterator[bytes]:
        """Lines as they come, at most LINES_MOST, until the channel ends or the time is over."""
        rest, count = b"", 0
        channel.settimeout(1)
        while True:
            try:
                data = channel.recv(16384)
            except TimeoutError:
                if time.monotonic() > self._deadline:
                    raise RetryLater(
                        f"{self._target.name} did not end within {SECONDS:g} s.", code="timed_out"
                    ) from None
                continue
            *lines, rest = (rest + data).split(b"\n")
            for line in lines if data else [*lines, rest]:
                count += 1
                if count <= LINES_MOST and line:
                    yield line[: 4 * LINE_MOST]
            rest = rest[: 4 * LINE_MOST]
            if not data:
                return


def clean(raw: bytes) -> str:
    """One line of a foreign machine as it may be shown: no control characters, no direction marks, not too long."""
    return _ODD.sub("", raw.decode("utf-8", "replace"))[:LINE_MOST].strip()
