"""What a person may not do, said in one sentence."""


class Refused(Exception):
    """The answer to a person is no; `say` is the sentence that the page, the API and the record show."""

    def __init__(self, say: str) -> None:
        super().__init__(say)
        self.say = say
