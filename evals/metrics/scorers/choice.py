"""The response chooses the right option, by its letter or by its text.

The options are the row's `choices`, or those that the recipe names for all rows; without any, they
are letters alone.
"""

from typing import Any, Literal

from pydantic import field_validator

from stagelift.evals.metrics.scorers.chosen import Options, chosen
from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scorers.texts import is_number, normalised, written
from stagelift.evals.records import Scored

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# what the column of options is called in public data sets
_COLUMNS = ("choices", "options")


class Choice(Scorer):
    """1 where the option that is chosen is the target, else 0; also 0 where none, or several, are.

    The target is a letter, an option's text, or its place, from 0. `options` are those of all rows.
    """

    kind: Literal["choice"] = "choice"
    options: list[str] | None = None

    @field_validator("options", mode="before")
    @classmethod
    def _are_texts(cls, options: Any) -> Any:
        """A number is a text here; yes, no, on and off are truth values in YAML unless quoted."""
        if not isinstance(options, list):
            return options
        if any(isinstance(option, bool) for option in options):
            raise ValueError(
                f"The options of scorer choice are {options!r:.80}: YAML reads yes, no, true and "
                "false as truth values. Write them in quotes, such as ['yes', 'no']."
            )
        return [written(option) if is_number(option) else option for option in options]

    def check(self) -> None:
        """Raise ValueError where the options cannot be told apart."""
        if self.options is not None:
            _labelled(self.options)

    def check_target(self, row: Row) -> None:
        """Raise ValueError, as a clause, where the target is none of the options, or could be two
        of them.
        """
        _right(row["target"], self._options(row))

    def score(self, response: str, row: Row) -> Scored:
        """Read which option is chosen."""
        options = self._options(row)
        answer = chosen(response, options)
        is_right = answer is not None and answer == _right(row["target"], options)
        return Scored(value=float(is_right), answer=answer, unread=answer is None)

    def _options(self, row: Row) -> Options:
        if self.options is not None:
            return _labelled(self.options)
        column = next((row[name] for name in _COLUMNS if row.get(name)), None)
        return dict.fromkeys(_LETTERS, "") if column is None else _labelled(column)


def _labelled(options: Any) -> Options:
    """Return the options' texts by letter, from a list, a mapping, or ARC's two lists."""
    if isinstance(options, dict) and {*options} == {"text", "label"}:
        texts, letters = options["text"], options["label"]
    elif isinstance(options, dict):
        texts, letters = list(options.values()), list(options)
    else:
        texts, letters = options, _LETTERS[: len(options)] if isinstance(options, list) else ""
    if not isinstance(texts, list) or not texts or len(texts) != len(letters):
        raise ValueError(f"its options {options!r:.80} are no list of 1 to {len(_LETTERS)} texts")
    known = [normalised(written(text)) for text in texts]
    if len({*known}) < len(known) or "" in known:
        raise ValueError(f"two of its options {options!r:.80} are the same, or one is empty")
    return {str(letter): written(text) for letter, text in zip(letters, texts, strict=True)}


def _right(target: Any, options: Options) -> str:
    """Return the letter of the target. Raises ValueError, as a clause, where that is not clear."""
    said = normalised(written(target)) if isinstance(target, str | int | float) else ""
    by_text = [letter for letter, text in options.items() if text and normalised(text) == said]
    by_letter = [letter for letter in options if letter.casefold() == said]
    by_place: list[str] = []
    if isinstance(target, int) and not isinstance(target, bool) and any(options.values()):
        by_place = [*options][target : target + 1] if target >= 0 else []
    meant = {*by_text, *by_letter, *by_place}
    if len(meant) > 1:
        raise ValueError(
            f"its target {target!r:.60} could be any of the options {', '.join(sorted(meant))}, as "
            "a text, a letter, or a place: write its letter, or other letters"
        )
    if not meant:
        raise ValueError(f"its target {target!r:.60} is none of the options")
    return meant.pop()
