"""Training rows of a stage that is rewarded by scorers: a user's own task, with its prompts as the
evaluation asks them.

A scorer sees the row as an evaluation shows it: `row` has it as JSON, since a table would give
every row the keys of all others. Other columns go to rewards that take what TRL passes.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stagelift.evals.data.answers import answer_text
from stagelift.evals.data.own_rows import OwnProblem, load_own
from stagelift.evals.data.source import Source
from stagelift.evals.data.turns import BESIDE
from stagelift.evals.metrics.scorers.known import check_rows
from stagelift.stages.rewards import Written, scorer_of

if TYPE_CHECKING:
    from datasets import Dataset


def learns_from_scorers(rewards: Sequence[Written]) -> bool:
    """Say whether any of the rewards is a scorer."""
    return any(scorer_of(written) is not None for written in rewards)


def own_training_rows(source: Source) -> "Dataset":
    """Load the rows of a user's task as GRPO and RLOO take them."""
    from datasets import Dataset

    problems = load_own("train", source, "test", None)
    names = dict.fromkeys(name for problem in problems for name in problem.row)
    columns = {name: [problem.row.get(name) for problem in problems] for name in names}
    plain = {name: values for name, values in columns.items() if _is_column(values)}
    return Dataset.from_dict(
        {
            **plain,
            "answer": [_answer(problem) for problem in problems],
            "prompt": [problem.prompt for problem in problems],
            "row": [json.dumps(problem.row) for problem in problems],
            **{name: _as_json(values) for name, values in columns.items() if name in BESIDE},
        },
        # a table would give every turn, and every tool's arguments, the keys of all others
        on_mixed_types="use_json",
    )


def _as_json(values: Sequence[Any]) -> list[str | None]:
    return [None if value is None else json.dumps(value) for value in values]


def check_own_source(stage: str, source: Source, rewards: Sequence[Written]) -> None:
    """Raise ValueError, in a sentence, where rows cannot be trained on, or rewards not work."""
    problems = load_own("train", source, "test", None)
    scorers = [scorer for written in rewards if (scorer := scorer_of(written)) is not None]
    rows = [
        (f"Row {number} of '{source.path}' (stage '{stage}')", problem.row)
        for number, problem in enumerate(problems, start=1)
    ]
    check_rows(scorers, rows)


def own_answers(source: Source) -> list[str]:
    """Return what `correctness` compares with, row by row."""
    return [_answer(problem) for problem in load_own("train", source, "test", None)]


def _answer(problem: OwnProblem) -> str:
    """Return what `correctness` compares with: a row's answer, else its target."""
    return answer_text(problem.row.get("answer", problem.row["target"])) or problem.target


def _is_column(values: Sequence[Any]) -> bool:
    """Say whether values are of one kind, so that a table can have them as they are."""
    kinds = {type(value) for value in values if value is not None}
    return len(kinds) == 1 and kinds <= {str, int, float, bool}
