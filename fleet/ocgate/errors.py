"""The two failures that a caller may meet: the answer is no, or there is no answer now."""

from __future__ import annotations


class Answered(Exception):
    """Base of both: `code` for the machine, `say` one sentence for a person."""

    kind = "refused"

    def __init__(self, code: str, say: str) -> None:
        super().__init__(say)
        self.code = code
        self.say = say


class Refused(Answered):
    """The answer is no; asking again changes nothing."""

    kind = "refused"


class Retry(Answered):
    """No answer now (locked, busy, timed out); the same request may succeed later."""

    kind = "retry"
