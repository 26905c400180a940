"""A network namespace without a name, for one probe: it ends when nobody is in it, whoever is killed."""

from __future__ import annotations

import subprocess
from types import TracebackType
from typing import IO, Optional, Sequence, Type, cast

END_SECONDS = 5


class Space:
    """`cat` in a namespace of its own: it ends when our end of its pipe closes, by whatever."""

    def __enter__(self) -> Space:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._in, self._out = cast(IO[bytes], self._holder.stdin), cast(IO[bytes], self._holder.stdout)
        try:
            self._in.write(b"there\n")
            self._in.flush()
            there = self._out.readline() == b"there\n"
        except OSError:
            there = False
        if not there:
            self.__exit__(None, None, None)
            raise OSError("this machine makes no network namespace for us")
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], at: Optional[TracebackType]
    ) -> None:
        try:
            self._in.close()
            self._holder.wait(END_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            self._holder.kill()
            self._holder.wait(END_SECONDS)
        self._out.close()

    @property
    def pid(self) -> int:
        return self._holder.pid

    def run(self, argv: Sequence[str], *, seconds: float) -> str:
        """What a command says in there, "" when it takes longer."""
        words = ["nsenter", f"--net=/proc/{self.pid}/ns/net", *argv]
        try:
            ended = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=max(0.1, seconds), check=False
            )
        except subprocess.TimeoutExpired as late:
            return (late.stdout or b"").decode("utf-8", "replace")
        return ended.stdout.decode("utf-8", "replace")
