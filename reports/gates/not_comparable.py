"""Why two sides cannot be compared."""


class NotComparableError(Exception):
    """The two sides cannot be compared; `field` names why."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
