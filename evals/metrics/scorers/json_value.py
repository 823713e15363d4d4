"""The JSON in a response: valid by a schema, with the target's fields, or equal to the target.

It is the last whole object or array that the response writes, in a fence or not. What is too long
or too deep is not read. jsonschema validates, and fetches nothing.
"""

import json
import math
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import normalised, spoken
from stagelift.evals.records import Scored
from stagelift.evals.trust import check_inside

# how many levels are read, and about how many characters: each as often as it is looked at
_DEEPEST, _MOST_READ = 50, 5_000_000
# what a try counts as that ends in no place
_LOST = 10_000
_OPENING = re.compile(r"[{\[]")


class Json(Scorer):
    """With a `schema`, 1 where the JSON is valid by it; with `fields`, the share of these that are
    as in the target; with neither, 1 where it is equal to the target.

    Texts are equal as `texts` says, numbers where their values are. A field is named by its key, or
    by the keys to it: `address.city`. A schema is JSON, or a file of it.
    """

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    kind: Literal["json"] = "json"
    rules: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    fields: list[str] | None = Field(default=None, min_length=1)

    @field_validator("rules", mode="before")
    @classmethod
    def _content_of_a_file(cls, written: Any) -> Any:
        """A recipe that is stored holds what the file held."""
        if not isinstance(written, str):
            return written
        # what it holds goes into records
        check_inside(written, "The schema of scorer json")
        try:
            return json.loads(Path(written).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(
                f"The schema of scorer json, '{written}', is no file of JSON: {error}."
            ) from error

    @model_validator(mode="after")
    def _one_way(self) -> "Json":
        if self.rules is not None and self.fields is not None:
            raise ValueError(
                "Scorer json has a schema and fields. List it twice, once with each: each is a "
                "metric."
            )
        return self

    def check(self) -> None:
        """Raise ValueError where the schema is none."""
        from jsonschema import SchemaError, validators

        if self.rules is None:
            return
        try:
            self._validator_class(validators).check_schema(self.rules)
        except (SchemaError, RecursionError) as error:
            message = getattr(error, "message", str(error))
            raise ValueError(
                f"The schema of scorer json is no JSON schema: {message:.200}."
            ) from error

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where the target lacks a field."""
        if self.rules is not None:
            return
        target = self._target(row)
        missing = [name for name in self.fields or [] if name not in _flat(target, name)]
        if missing:
            raise ValueError(f"its target has no field '{missing[0]}'")

    def score(self, response: str, row: Row) -> Scored:
        """Read the JSON and compare it."""
        last = _last_value(spoken(response))
        if last is None:
            return Scored(value=0.0, unread=True)
        text, value = last
        return Scored(value=self._worth(value, row), answer=text[:200])

    def _worth(self, value: Any, row: Row) -> float:
        if self.rules is not None:
            return float(self._is_valid(value))
        target = self._target(row)
        if self.fields is None:
            return float(_equal(value, target))
        right = [_has(value, name, _flat(target, name)[name]) for name in self.fields]
        return sum(right) / len(right)

    def _is_valid(self, value: Any) -> bool:
        from jsonschema import validators
        from referencing import Registry

        # an empty registry fetches no reference
        validator = self._validator_class(validators)(self.rules, registry=Registry())
        return bool(validator.is_valid(value))

    def _validator_class(self, validators: Any) -> Any:
        from jsonschema import Draft202012Validator

        return validators.validator_for(self.rules, default=Draft202012Validator)

    def _target(self, row: Row) -> Any:
        """Return the target as JSON, which a text may hold."""
        target = row["target"]
        if isinstance(target, str):
            try:
                target = json.loads(target)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"its target {target!r:.60} is no JSON") from error
        if self.fields is not None and not isinstance(target, dict):
            raise ValueError(
                f"its target {target!r:.60} is no JSON object, and fields are asked for"
            )
        return target


def _last_value(text: str) -> tuple[str, Any] | None:
    """Return the last whole object or array of a text, as it is written and read; None where there
    is none.

    Openings are tried from the end on, so that nothing before can hide it; what contains others
    takes their place.
    """
    found: list[tuple[int, int, Any]] = []
    left = _MOST_READ
    for opening in reversed(list(_OPENING.finditer(text))):
        start = opening.start()
        end, value = _read(text, start)
        left -= abs(end) - start + 1
        if end > 0:
            while found and found[-1][0] < end:
                found.pop()
            found.append((start, end, value))
        if left < 0:
            break
    whole = (one for one in found if _depth(one[2]) <= _DEEPEST)
    return next(((text[start:end], value) for start, end, value in whole), None)


def _read(text: str, start: int) -> tuple[int, Any]:
    """Return where the JSON ends that begins at `start`, and the JSON; where there is none, minus
    where that was seen.
    """
    try:
        value, end = json.JSONDecoder(parse_constant=_refuse).raw_decode(text, start)
    except json.JSONDecodeError as error:
        return -max(error.pos, start), None
    except (ValueError, RecursionError):
        return -(start + _LOST), None
    return end, value


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _depth(value: Any) -> int:
    """Count the levels of a value, one after the other."""
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def _flat(value: Any, name: str) -> dict[str, Any]:
    """Return the field of that name under that name; empty where there is none."""
    if isinstance(value, dict) and name in value:
        return {name: value[name]}
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            return {}
        value = value[key]
    return {name: value}


def _has(value: Any, name: str, wanted: Any) -> bool:
    found = _flat(value, name)
    return name in found and _equal(found[name], wanted)


def _equal(value: Any, wanted: Any) -> bool:
    """Compare two JSON values: texts as `texts` says, numbers by value, true is not 1."""
    match wanted:
        case dict():
            return (
                isinstance(value, dict)
                and value.keys() == wanted.keys()
                and all(_equal(value[key], wanted[key]) for key in wanted)
            )
        case list():
            return (
                isinstance(value, list)
                and len(value) == len(wanted)
                and all(_equal(*pair) for pair in zip(value, wanted, strict=True))
            )
        case str():
            return isinstance(value, str) and normalised(value) == normalised(wanted)
        case bool() | None:
            return value is wanted
        case _:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return is_number and _same_number(value, wanted)


def _same_number(value: float, wanted: float) -> bool:
    if isinstance(value, int) and isinstance(wanted, int):
        return value == wanted
    try:
        return math.isclose(value, wanted, rel_tol=1e-12, abs_tol=0.0)
    # a whole number of more than 308 digits
    except OverflowError:
        return False
