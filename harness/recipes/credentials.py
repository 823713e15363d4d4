"""No credential stands in a recipe: recipes are stored, reported and uploaded as they are.

Each is taken from the environment. What is refused is named by its key and never shown.
"""

from typing import Any

from stagelift.evals import credential_places
from stagelift.harness.errors import UsageError


def check_no_credentials(content: Any, where: str) -> None:
    """Raise UsageError, naming its key, where a recipe's content holds a credential."""
    try:
        credential_places.check_no_credentials(content, where)
    except ValueError as error:
        raise UsageError(str(error)) from None


def check_override(key: str, text: str) -> None:
    """The same of `--set KEY=TEXT`, before the text is read: no sentence may quote it."""
    value = None if text.strip() in ("", "null", "~", "true", "false") else text
    check_no_credentials({key: value}, "--set")
