"""Where content that someone wrote, a recipe's or a task file's, holds a credential, and which
variable of the environment is for it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from stagelift.evals.credentials import credentials_in, is_credential_name

# keys below these are names of columns, layers or fields, whatever they are called
_NAMES = frozenset({"columns", "rank_pattern", "alpha_pattern", "schema", "rules"})
# by a word in the place of a key, from the innermost on
_VARIABLES = (
    ("aws", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ("artefacts", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what its storage reads"),
    ("wandb", "WANDB_API_KEY"),
    ("mlflow", "MLFLOW_TRACKING_TOKEN"),
    ("openai", "OPENAI_API_KEY"),
    ("judge", "OPENAI_API_KEY"),
    ("server", "STAGELIFT_ENGINE_KEY"),
    ("hub", "HF_TOKEN"),
    ("hf", "HF_TOKEN"),
    ("vllm", "HF_TOKEN or VLLM_API_KEY"),
    ("token", "HF_TOKEN"),
)
_ASSIGNED = re.compile(r"(?:^|\s)(?:--)?([A-Za-z_][\w.-]{0,80})=\S")
_OPTION = re.compile(r"(?:^|\s)--([A-Za-z][\w.-]{0,80})\s+[^\s-]")


def check_no_credentials(content: Any, where: str) -> None:
    """Raise ValueError, naming its key and not showing it, where content holds a credential."""
    place = next(_places(content, ()), None)
    if place is not None:
        raise ValueError(
            f"Key '{'.'.join(place)}' in {where} holds a credential, and a recipe is stored, "
            f"reported and uploaded as it is. Leave it out, and set {_variable(place)} in the "
            "environment."
        )


def _places(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the places of credentials, each as its keys from the outermost on."""
    match value:
        case dict():
            for key, part in value.items():
                here = (*place, str(key))
                if credentials_in(str(key)):
                    yield (*place, "a key of it")
                elif (_is_named_so(here) and _is_given(part)) or _is_text_of(str(key), part):
                    yield here
                else:
                    yield from _places(part, here)
        case list() | tuple():
            for part in value:
                yield from _places(part, place)
        case str() if _holds_one(value):
            yield place
        case _:
            return


def _is_named_so(place: Sequence[str]) -> bool:
    *above, key = [part for written in place for part in written.split(".")]
    return is_credential_name(key) and not _NAMES.intersection(above)


def _is_text_of(key: str, value: Any) -> bool:
    """Say whether a key that otherwise counts, or names a folder, has a text here."""
    return key in ("tokens", "pwd") and isinstance(value, str) and value != ""


def _is_given(value: Any) -> bool:
    """Say whether a value is there: true and false only say whether one is looked for."""
    match value:
        case None | bool() | "":
            return False
        case list() | tuple():
            return any(map(_is_given, value))
        case dict():
            return any(
                isinstance(part, str | list | dict) and _is_given(part) for part in value.values()
            )
        case _:
            return True


def _holds_one(text: str) -> bool:
    if credentials_in(text):
        return True
    if "=" in text or "--" in text:
        named = [*_ASSIGNED.findall(text), *_OPTION.findall(text)]
        if any(map(is_credential_name, named)):
            return True
    if text.lstrip().startswith(("{", "[")):
        # arguments of trainers may be JSON in a string
        with suppress(ValueError, RecursionError):
            return next(_places(json.loads(text), ()), None) is not None
    return False


def _variable(place: Sequence[str]) -> str:
    for part in reversed(place):
        words = re.split(r"[^a-z]+", part.lower())
        for word, variable in _VARIABLES:
            if word in words:
                return variable
    return "the variable that is read for it"
