"""Evaluation problems: question and worked answer, grouped into `test` and, where the source has
them, `held_out`.

Ids are stable: the same source gives the same id to the same problem, whatever the limit.
"""

from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.data.source import Source, fingerprint, rows
from stagelift.evals.records import Group, Record


class Problem(Record):
    """A question with its worked answer, whose last line is `#### target`."""

    id: str
    group: Group
    question: str
    answer: str


class ProblemSet(Record):
    """What one evaluation asks.

    Few-shot examples come from the train split, never from the problems themselves.
    """

    name: str
    problems: list[Problem]
    fewshot: list[Problem]


FEWSHOT_POOL = 256


def load_problems(
    name: str, source: Source, *, limit: int | None, held_out: int, num_fewshot: int
) -> ProblemSet:
    """Load the first `limit` test problems (None: all of them) and `held_out` problems of held-out
    templates.
    """
    test = _problems(name, source, "test", limit)
    apart = _problems(name, source, "held_out", held_out) if held_out else []
    pool = (
        _problems(name, source, "train", None if source.path != SCHOOLMATH else FEWSHOT_POOL)
        if num_fewshot
        else []
    )
    return ProblemSet(name=name, problems=[*test, *apart], fewshot=pool)


def problems_fingerprint(source: Source, *, held_out: int, num_fewshot: int) -> str:
    """Identify the content of every split an evaluation reads."""
    splits = ["test", *(["held_out"] if held_out else []), *(["train"] if num_fewshot else [])]
    contents = [fingerprint(source.model_copy(update={"split": split})) for split in splits]
    return " ".join(
        [*contents, *(f"{wanted}={name}" for wanted, name in sorted(source.columns.items()))]
    )


def _problems(name: str, source: Source, split: str, limit: int | None) -> list[Problem]:
    part = source.model_copy(update={"split": split, "limit": limit})
    group: Group = "held_out" if split == "held_out" else "test"
    return [
        Problem(
            id=f"{name}/{split}/{index}",
            group=group,
            question=str(row["question"]),
            answer=str(row["answer"]),
        )
        for index, row in enumerate(rows(part))
    ]
