"""Every name that an evaluation or an import gives has a record, and nobody takes a name apart."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagelift.evals.imports.alpaca_eval import read_alpaca_eval
from stagelift.evals.imports.lm_eval_folder import read_lm_eval
from stagelift.evals.imports.responses import read_responses
from stagelift.evals.imports.results import Imported, task_metrics
from stagelift.evals.lm_eval.names import metric_name
from stagelift.evals.metrics.measures import FIXED, by_votes, measure, pass_name
from stagelift.evals.metrics.preference_accuracy import preference_accuracy
from stagelift.evals.metrics.retention import likelihood_metrics
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.metrics.timing import timing_metrics
from stagelift.evals.records import (
    ChoiceScore,
    Group,
    PairScore,
    PassageScore,
    Role,
    Score,
    Timing,
    Verdict,
)
from tests.records import make_score

ROOT = Path(__file__).resolve().parent.parent
OURS = Path("evals", "metrics", "measures.py")


def verdicts() -> list[Verdict]:
    """Both groups against every opponent, with lengths that a regression can use."""
    groups: tuple[Group, ...] = ("test", "preference")
    roles: tuple[Role, ...] = ("base", "previous", "reference")
    return [
        Verdict(
            id=f"{group}/{number}",
            group=group,
            against=role,
            score=number % 3 / 2,
            length_difference=(number * 7) % 11 - 5,
            reason="by hand",
        )
        for group in groups
        for role in roles
        for number in range(30)
    ]


def scores() -> list[Score]:
    """Four samples of three problems in every group."""
    groups: tuple[Group, ...] = ("test", "sampled", "held_out", "preference", "instructions")
    return [
        make_score(f"{group}/{number}", number > 0, 20 + number, sample).model_copy(
            update={"group": group, "looping": False, "followed": group == "instructions"}
        )
        for group in groups
        for number in range(3)
        for sample in range(4)
    ]


def test_every_metric_of_an_evaluation_has_a_record() -> None:
    measured = compute_metrics(scores(), verdicts()).metrics
    pair = PairScore(id="a", chosen=-1.0, rejected=-2.0, chosen_tokens=3, rejected_tokens=4)
    timing = Timing(batch="a", group="test", sample=0, responses=4, seconds=2.0)
    choice = ChoiceScore(id="a", topic="t", right=0, nats=(-1.0, -2.0), characters=(3, 4))
    passage = PassageScore(id="a", document="d", nats=-9.0, n_tokens=3, n_bytes=9)
    names = {
        *measured,
        *preference_accuracy([pair], {"a": pair}),
        *timing_metrics([timing]),
        *likelihood_metrics([choice], [passage]),
        # people's votes make them of the win rates as they were judged
        *(by_votes(name) for name in measured if measure(name).against and "_lc" not in name),
    }
    # every fixed one is given by something, and besides them only pass@k
    assert {name for name in names if measure(name).k is None} == {known.name for known in FIXED}
    assert {name for name in names if measure(name).k is not None} == {
        "pass@2",
        "pass@4",
        "pass@2_held_out",
        "pass@4_held_out",
        "pass@2_sampled",
        "pass@4_sampled",
    }
    assert all(measure(name).name == name for name in names)


@pytest.mark.parametrize("filter_name", ["none", "strict-match", "get-answer"])
@pytest.mark.parametrize("metric", ["acc", "acc_norm", "exact_match", "word_perplexity"])
@pytest.mark.parametrize("task", ["mmlu", "leaderboard/math", "my, task"])
def test_every_metric_of_a_task_has_a_record(task: str, metric: str, filter_name: str) -> None:
    known = measure(metric_name(task, metric, filter_name))
    assert (known.title, known.family) == (task, "lm-eval task")
    assert known.bare.startswith(metric)


def names_of(imported: Imported) -> set[str]:
    return {
        name
        for stage in imported.stages
        for name in (
            *compute_metrics(stage.scores, stage.verdicts).metrics,
            *task_metrics(score for rows in stage.task_scores.values() for score in rows),
        )
    }


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_every_metric_of_imported_responses_has_a_record(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": number, "prompt": "2 + 2?", "response": "4", "target": "4", "sample": sample}
        for number in range(2)
        for sample in range(2)
    ]
    names = names_of(read_responses(write_rows(tmp_path / "responses.jsonl", rows)))
    assert {"accuracy", "pass@2", "length_chars"} <= names
    assert all(measure(name).name == name for name in names)


def test_every_metric_of_an_imported_lm_eval_file_has_a_record(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {
            "doc_id": 0,
            "doc": {"question": "2 + 2?"},
            "target": "4",
            "arguments": {"gen_args_0": {"arg_0": "2 + 2?", "arg_1": {"until": []}}},
            "resps": [["4"]],
            "filtered_resps": ["4"],
            "filter": name,
            "metrics": ["exact_match", "bleu"],
            "doc_hash": "a",
            "target_hash": "b",
            "exact_match": 1.0,
            "bleu": 40.0,
        }
        for name in ("strict-match", "none")
    ]
    samples = write_rows(tmp_path / "samples_sums_2026-01-01T00-00-00.jsonl", rows)
    names = names_of(read_lm_eval(samples))
    assert {"sums/bleu", "sums/exact_match", "sums/bleu,strict-match"} <= names
    assert all(measure(name).name == name for name in names)


def test_every_metric_of_imported_annotations_has_a_record(tmp_path: Path) -> None:
    annotations = tmp_path / "annotations.json"
    rows = [
        {
            "instruction": f"Question {number}",
            "output_1": "a" * number,
            "output_2": "b" * 10,
            "generator_1": "theirs",
            "generator_2": "ours",
            "annotator": "judge",
            "preference": 1 + number % 2,
        }
        for number in range(30)
    ]
    annotations.write_text(json.dumps(rows), encoding="utf-8")
    names = names_of(read_alpaca_eval(annotations))
    assert {"win_rate", "win_rate_lc"} <= names
    assert all(measure(name).name == name for name in names)


# --- nobody takes a name apart

TAKING_APART = {
    "startswith", "endswith", "removeprefix", "removesuffix", "replace", "partition", "rpartition",
    "split", "rsplit", "match", "fullmatch", "search", "sub",
}  # fmt: skip
# words of metric names that are also words of other things: alone they say nothing
COMMON = {"out", "per", "rate", "base", "held", "token", "tokens", "strict", "previous"}
# what a variable is called that holds the name of a metric; `name` does where metrics are at home
HOLDS_A_NAME = {"metric", "win_rate", "measure"}
AT_HOME = ("reports", "evals/metrics")
# separators of metric names, which other strings have as well
SEPARATORS = {"/", "_", ",", "@"}


def words_of_names() -> set[str]:
    names = [known.name for known in FIXED] + [pass_name(4)]
    return {word for name in names for word in re.split(r"[_@\d]+", name) if word}


WORDS = words_of_names()


def is_part_of_a_name(text: str, subject: str, holders: set[str]) -> bool:
    """Whether a string is a piece of metric names: a telling word of them, one of their common
    words beside an underscore, or a separator where the variable says that it holds a name.
    """
    if text in SEPARATORS:
        return subject in holders
    pieces = {piece for piece in re.split(r"[_@]+", text) if piece}
    if not pieces or not pieces <= WORDS:
        return False
    is_joined = "_" in text or "@" in text
    return is_joined or bool(pieces - COMMON) or subject in holders


def subject_of(node: ast.expr) -> str:
    """The last name of an expression: `metric` of `found.metric` and of `names[0].metric`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value) | ast.Call(func=value):
            return subject_of(value)
        case _:
            return ""


def literals(node: ast.expr) -> Iterator[str]:
    """The strings that an argument names: itself, or the members of a tuple."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def parts_matched(code: str, *, at_home: bool) -> Iterator[tuple[int, str]]:
    """The places where code matches on a part of a metric's name, or builds a name of parts."""
    holders = HOLDS_A_NAME | {"name"} if at_home else HOLDS_A_NAME
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in TAKING_APART:
                found = [(text, subject_of(value)) for text in texts(node)]
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
                # `"_lc" in name` looks into a string, `name in ("a", "b")` and keys do not
                is_text = isinstance(left, ast.Constant) and not is_collection(right)
                found = [(text, subject_of(right)) for text in literals(left)] if is_text else []
            case ast.JoinedStr(values=values):
                found = [(text, "") for text in builds_a_name(values)]
            case _:
                found = []
        yield from (
            (node.lineno, text)  # type: ignore[attr-defined]  # the three kinds have a line
            for text, subject in found
            if is_part_of_a_name(text, subject, holders)
        )


def texts(call: ast.Call) -> Iterator[str]:
    for argument in call.args:
        yield from literals(argument)


def is_collection(node: ast.expr) -> bool:
    """Whether `in` asks for a member: metrics of a result, a set, a list."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.SetComp | ast.ListComp):
        return True
    return subject_of(node).endswith(("s", "keys"))


def builds_a_name(values: list[ast.expr]) -> Iterator[str]:
    """The pieces of an f-string that are words joined by underscores."""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            text = value.value
            if re.fullmatch(r"[a-z_@]+", text) and {"_", "@"} & set(text):
                yield text


@pytest.mark.parametrize(
    "code",
    [
        "metric.startswith('win_rate')",
        "found.metric.startswith(('win_rate', 'length'))",
        "'_previous' in name",
        "'previous' not in one.metric",
        "'/' in name",
        "name.replace('_chars', '_tokens')",
        "win_rate.replace('win_rate', 'win_rate_lc', 1)",
        "name.rpartition('/')[2]",
        "name.split('_')",
        "re.fullmatch('pass@', name)",
        "one.removesuffix('_preference')",
        "anything.endswith('_held_out')",
        "f'accuracy_{group}'",
        "f'{name}_median{suffix}'",
        "f'pass@{k}'",
        "f'win_rate_previous{group}'",
    ],
)
def test_the_law_finds_names_that_are_taken_apart_or_built(code: str) -> None:
    assert list(parts_matched(code, at_home=True)), code


@pytest.mark.parametrize(
    "code",
    [
        "'accuracy' in metrics",
        "name in ('accuracy', 'length_tokens')",
        "name == 'accuracy'",
        "path.rpartition('/')",
        "text.replace('a', 'b')",
        "f'accuracy is {value}'",
        "f'{stage}-{seed}'",
    ],
)
def test_the_law_leaves_whole_names_and_other_strings_alone(code: str) -> None:
    assert not list(parts_matched(code, at_home=True)), code


@pytest.mark.parametrize("layer", ["evals", "stages", "reports", "harness"])
def test_no_module_but_one_takes_a_metrics_name_apart(layer: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {text!r}"
        for path in sorted((ROOT / layer).rglob("*.py"))
        if path.relative_to(ROOT) != OURS
        for line, text in parts_matched(
            path.read_text(encoding="utf-8"),
            at_home=path.relative_to(ROOT).as_posix().startswith(AT_HOME),
        )
    ]
    assert found == []
