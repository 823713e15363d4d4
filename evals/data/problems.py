"""Evaluation problems: question and worked answer.

They are grouped into `test` and, where the source has them, `held_out`. Ids are stable: the same
source gives the same id to the same problem, whatever the limit.
"""

from typing import TYPE_CHECKING

from stagelift.evals.data.answers import answer_text
from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.data.clusters import cluster_name, refuse_one_for_all, refuse_some_without
from stagelift.evals.data.source import Source, fingerprint, has_clusters, rows
from stagelift.evals.records import Group, Record

if TYPE_CHECKING:
    from datasets import Dataset


class Problem(Record):
    """A question with its worked answer, whose last line is `#### target`, or the target alone.

    `cluster` is what it comes in, together with others (a template, a document); None: it stands
    alone.
    """

    id: str
    group: Group
    question: str
    answer: str
    cluster: str | None = None


class ProblemSet(Record):
    """What one evaluation asks.

    Few-shot examples come from the train split, never from the problems themselves.
    """

    name: str
    problems: list[Problem]
    fewshot: list[Problem]


FEWSHOT_POOL = 256


def load_problems(
    name: str,
    source: Source,
    *,
    limit: int | None,
    held_out: int,
    num_fewshot: int,
    validation: Source | None = None,
) -> ProblemSet:
    """Load what an evaluation asks.

    That is the first `limit` test problems (None: all of them) and `held_out` problems of held-out
    templates. With `validation` its problems are asked in place of the test problems; few-shot
    examples are still the source's. Raises ValueError, in a sentence, where problems have clusters
    that cannot be used.
    """
    asked = tested(source, validation)
    # pairs alone can be asked for, and then no problems are
    problems = [] if limit == 0 else _problems(name, asked, asked.split, limit)
    if held_out:
        problems += _problems(name, source, "held_out", held_out)
    fewshot: list[Problem] = []
    if num_fewshot:
        pool = FEWSHOT_POOL if source.path == SCHOOLMATH else None
        fewshot = _problems(name, source, "train", pool)
    return ProblemSet(name=name, problems=problems, fewshot=fewshot)


def tested(source: Source, validation: Source | None) -> Source:
    """Return where the problems of group `test` are from: the test split, or validation data."""
    return validation or source.model_copy(update={"split": "test"})


def problems_fingerprint(
    source: Source, *, held_out: int, num_fewshot: int, validation: Source | None = None
) -> str:
    """Identify the content of every split an evaluation reads."""
    asked = tested(source, validation)
    sources = [asked]
    if held_out:
        sources.append(source.model_copy(update={"split": "held_out"}))
    if num_fewshot:
        sources.append(source.model_copy(update={"split": "train"}))
    contents = [fingerprint(part) for part in sources]
    columns = [f"{wanted}={present}" for wanted, present in sorted(asked.columns.items())]
    return " ".join([*contents, *columns])


def groups_in_clusters(
    source: Source, *, held_out: int, validation: Source | None = None
) -> list[Group]:
    """Name the groups whose problems come in clusters."""
    sources: dict[Group, Source] = {"test": tested(source, validation)}
    if held_out:
        sources["held_out"] = source.model_copy(update={"split": "held_out"})
    return [group for group, part in sources.items() if has_clusters(part)]


def _problems(name: str, source: Source, split: str, limit: int | None) -> list[Problem]:
    part = source.model_copy(update={"split": split, "limit": limit})
    group: Group = "held_out" if split == "held_out" else "test"
    dataset = rows(part)
    ids = [f"{name}/{split}/{index}" for index in range(len(dataset))]
    clusters = _clusters(part, dataset, ids)
    return [
        Problem(
            id=problem,
            group=group,
            question=str(row["question"]),
            answer=answer_text(row["answer"]) or "",
            cluster=clusters.get(problem),
        )
        for problem, row in zip(ids, dataset, strict=True)
    ]


def _clusters(source: Source, dataset: "Dataset", ids: list[str]) -> dict[str, str]:
    """Return each problem's cluster by id; few-shot examples need none."""
    if source.split == "train" or not has_clusters(source):
        return {}
    what = f"Split '{source.split}' of '{source.path}'"
    try:
        names = [cluster_name(label) for label in dataset["cluster"]]
    except ValueError as error:
        raise ValueError(f"{what}: {error}.") from error
    refuse_some_without(
        ((f"row {number}", name) for number, name in enumerate(names, start=1)), what
    )
    clusters = {problem: name for problem, name in zip(ids, names, strict=True) if name is not None}
    refuse_one_for_all(clusters, what)
    return clusters
