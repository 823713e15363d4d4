"""Evaluation problems: question and worked answer.

They are grouped into `test` and, where the source has them, `held_out`. Ids are stable: the same
source gives the same id to the same problem, whatever the limit.
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
    """Load what an evaluation asks.

    That is the first `limit` test problems (None: all of them) and `held_out` problems of held-out
    templates.
    """
    problems = _problems(name, source, "test", limit)
    if held_out:
        problems += _problems(name, source, "held_out", held_out)
    fewshot: list[Problem] = []
    if num_fewshot:
        pool = FEWSHOT_POOL if source.path == SCHOOLMATH else None
        fewshot = _problems(name, source, "train", pool)
    return ProblemSet(name=name, problems=problems, fewshot=fewshot)


def problems_fingerprint(source: Source, *, held_out: int, num_fewshot: int) -> str:
    """Identify the content of every split an evaluation reads."""
    splits = ["test"]
    if held_out:
        splits.append("held_out")
    if num_fewshot:
        splits.append("train")
    contents = [fingerprint(source.model_copy(update={"split": split})) for split in splits]
    columns = [f"{wanted}={present}" for wanted, present in sorted(source.columns.items())]
    return " ".join([*contents, *columns])


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
