"""What can go wrong with the embedded stack, each with what to do about it."""


class StackError(Exception):
    """The stack could not do what was asked; the text says what and the remedy."""

    def __init__(self, problem: str, remedy: str = "run `guichet doctor`") -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy
