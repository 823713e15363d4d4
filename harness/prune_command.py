"""`stagelift prune`."""


def prune() -> None:
    """x."""
