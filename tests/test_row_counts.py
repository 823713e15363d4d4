"""Rows that are left out, cut, or teach nothing: counted, said, and refused where all are."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from stagelift.evals.data.source import Source
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.row_counts import check_row_counts, row_counts, row_notes
from stagelift.harness.recipes.read import load_recipe
from stagelift.stages.kinds import kind_named
from stagelift.stages.rows.counts import Limits, RowCounts, count_rows, note, problem
from stagelift.stages.rows.nonsense import Nonsense
from stagelift.stages.rows.training import given_and_trained
from stagelift.stages.settings import StageKind, StageSettings
from tests.test_source import jsonl

ROOM = Limits(tokens=64, name="args.max_length", loses="lose their end", drops=True)
LONG = "one two three " * 60


def talk(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant") * len(texts)
    return {
        "messages": [
            {"role": role, "content": text} for role, text in zip(roles, texts, strict=False)
        ]
    }


def counted(
    folder: Path, model: Path, kind: StageKind, rows: list[dict[str, Any]], limits: Limits = ROOM
) -> tuple[StageSettings, RowCounts]:
    path = str(jsonl(folder / "rows.jsonl", rows))
    settings = StageSettings(kind=kind, dataset=Source(path=path))
    given, trained = given_and_trained(settings)
    counts = count_rows(
        kind_named(kind), given, trained, {}, limits, lambda: AutoTokenizer.from_pretrained(model)
    )
    return settings, counts


def test_rows_of_which_something_is_lost_are_counted_apart(
    tiny_model: Path, tmp_path: Path
) -> None:
    rows = [
        talk("Hi", "Hello"),
        talk("Hi", "Hello"),
        talk("Hi", "Hello", "thanks"),
        talk("Hi", LONG),
        talk(LONG, "Hello"),
        talk("Ho", ""),
    ]
    settings, counts = counted(tmp_path, tiny_model, "sft", rows)
    expected = {"rows": 6, "unanswered": 1, "empty": 1, "again": 1, "cut": 1, "lost": 1}
    assert counts.model_dump(include=set(expected)) == expected
    said = note(settings, counts)
    assert said is not None and said.startswith("Stage 'sft', of 6 rows of '")
    for part in (
        "1 do not end with the assistant and are left out",
        "1 lose their end, being longer than args.max_length (64 tokens)",
        "1 have no trained token left and are dropped",
        "1 have an empty answer",
        "1 stood before, word for word",
    ):
        assert part in said
    assert problem(settings, counts) is None


@pytest.mark.parametrize(
    ("kind", "row", "says"),
    [
        ("sft", talk("Hi", "Hello", "thanks"), "end with a turn that is not the assistant's"),
        ("sft", talk(LONG, "Hello"), "fills args.max_length (64 tokens)"),
        ("sft", talk("Hi", " "), "have an empty answer"),
        ("dpo", {"prompt": LONG, "chosen": "a", "rejected": "b"}, "fills args.max_length"),
        ("kto", {"prompt": LONG, "completion": "a", "label": True}, "fills args.max_length"),
    ],
)
def test_a_stage_that_would_have_nothing_to_train_on_says_so(
    tiny_model: Path, tmp_path: Path, kind: StageKind, row: dict[str, Any], says: str
) -> None:
    settings, counts = counted(tmp_path, tiny_model, kind, [row] * 3)
    sentence = problem(settings, counts)
    assert sentence is not None and "all 3 rows" in sentence and says in sentence


def test_a_prompt_without_room_for_an_answer_is_counted(tiny_model: Path, tmp_path: Path) -> None:
    room = Limits(tokens=64, name="the context", loses="leave no room", is_room=True)
    rows = [{"prompt": "Hi", "answer": "1"}, {"prompt": LONG, "answer": "2"}]
    settings, counts = counted(tmp_path, tiny_model, "grpo", rows, room)
    assert note(settings, counts) == (
        f"Stage 'grpo', of 2 rows of '{settings.dataset.path}': 1 leave no room, being longer than "
        "the context (64 tokens)."
    )
    _, counts = counted(tmp_path, tiny_model, "grpo", rows[1:], room)
    assert "no room to answer" in str(problem(settings, counts))


def test_rows_that_are_as_they_should_be_are_not_spoken_of(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings, counts = counted(tmp_path, tiny_model, "sft", [talk("Hi", "Hello")])
    assert note(settings, counts) is None and problem(settings, counts) is None
    assert counts.nonsense == Nonsense()


SAME = {"prompt": "Hi", "chosen": "Hello", "rejected": "Hello"}
BETTER = {"prompt": "Hi", "chosen": "Hello", "rejected": "Go"}
GOOD = {"prompt": "Hi", "completion": "Hello", "label": True}
ASKS = {"role": "user", "content": "Hi"}
ENDS_WITH_THE_USER = {
    "prompt": [ASKS],
    "completion": [{"role": "assistant", "content": "Hello"}, ASKS],
}
PAIR_OF_USERS = {
    "prompt": [ASKS],
    "chosen": [{"role": "assistant", "content": "Hello"}, ASKS],
    "rejected": [{"role": "assistant", "content": "Go"}, ASKS],
}


@pytest.mark.parametrize(
    ("kind", "rows", "says", "is_refused"),
    [
        ("dpo", [SAME, BETTER], "1 have one answer as the better and the worse", False),
        ("dpo", [SAME, SAME], "have the same answer as the better and the worse one", True),
        ("kto", [SAME, BETTER], "3 have one answer as the better and the worse", False),
        ("kto", [SAME, SAME], "have the same answer as the better and the worse one", True),
        ("kto", [GOOD, {**GOOD, "completion": "Ho"}], "all have the label true", False),
        ("sft", [ENDS_WITH_THE_USER], "an answer that ends with the user's words", True),
        ("dpo", [PAIR_OF_USERS], "an answer that ends with the user's words", True),
    ],
)
def test_answers_of_which_none_is_better_or_that_others_give_are_said(
    tiny_model: Path,
    tmp_path: Path,
    kind: StageKind,
    rows: list[dict[str, Any]],
    says: str,
    is_refused: bool,
) -> None:
    settings, counts = counted(tmp_path, tiny_model, kind, rows)
    sentence = problem(settings, counts)
    assert says in str(sentence if is_refused else note(settings, counts))
    assert (sentence is not None) == is_refused


def test_a_plan_says_it_once_and_refuses_where_nothing_is_left(
    tiny_model: Path, tmp_path: Path
) -> None:
    data, recipe = tmp_path / "chats.jsonl", tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: chats\nmodel: {{path: {tiny_model}}}\ndata: {{path: bundled/schoolmath}}\n"
        "evals: {accuracy: {limit: 4}}\n"
        f"stages: [sft: {{dataset: {{path: {data}}}, args: {{max_length: 64}}}}]\n"
    )
    jsonl(data, [talk("Hi", "Hello"), talk("Hi", "Hello", "thanks")])
    plan = make_plan(load_recipe(str(recipe), []))
    check_row_counts(plan)
    assert len(row_notes(plan)) == 1
    assert [row_counts(node) is None for node in plan.nodes] == [True, False]
    jsonl(data, [talk(LONG, "Hello")] * 2)
    with pytest.raises(UsageError, match="the prompt alone of all 2 rows"):
        check_row_counts(make_plan(load_recipe(str(recipe), [])))
