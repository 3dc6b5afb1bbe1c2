"""What can be wrong with an expression as it is written."""


class SyntaxFault(Exception):  # noqa: N818 - a fault of the author's text, not of the program
    """A condition or template cannot be understood: the message says what was found, `hint` how to write it.

    `offset` is the index of the first wrong character within the text, None where that is not known.
    """

    def __init__(self, message: str, *, hint: str = "", offset: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.offset = offset
