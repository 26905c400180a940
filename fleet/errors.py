"""The two failures that decide every retry. Anything else is a bug: recorded, raised, seen."""


class Unfinished(Exception):
    """Base of the two; carries a code for machines and one sentence for people."""

    def __init__(self, say: str, *, code: str = "") -> None:
        super().__init__(say)
        self.say = say
        self.code = code


class RetryLater(Unfinished):
    """No answer: unreachable, timed out, busy. Asking again later may help."""


class GiveUp(Unfinished):
    """The answer is no. Asking again changes nothing until a person changes something."""
