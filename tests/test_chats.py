"""Rows whose prompt and answers are texts: turns of a conversation, as the evaluation asks them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.random_model import CHATML
from stagelift.evals.data.alpaca import input_column, with_input
from stagelift.evals.data.own_rows import load_own, own_fingerprint
from stagelift.evals.data.preferences import load_preferences, preferences_fingerprint
from stagelift.evals.data.source import Source
from stagelift.evals.data.turns import as_turn
from stagelift.evals.models.model import ModelRef
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.rows import rows_identity
from stagelift.harness.recipes.read import load_recipe
from stagelift.stages.kinds import kind_named
from stagelift.stages.rewards import shown_texts
from stagelift.stages.rows.chats import as_chats, texts_in
from stagelift.stages.rows.training import first_training_rows, read_since
from stagelift.stages.settings import StageKind, StageSettings
from tests import templates
from tests.test_source import jsonl, training_rows

ALPACA = {"prompt": "instruction", "completion": "output"}
PAIR = {"prompt": "Add 2 and 3.", "chosen": "It is 5.", "rejected": "It is 6."}


def turn(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def source(folder: Path, *rows: dict[str, Any], **settings: Any) -> Source:
    return Source(path=str(jsonl(folder / "rows.jsonl", list(rows))), **settings)


def test_alpacas_rows_become_turns_with_the_input_after_a_blank_line(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Add.", "input": "2 and 3", "output": "5"},
        {"instruction": "Add 2 and 3.", "input": "", "output": "It is 5."},
    ]
    made = list(training_rows("sft", source(tmp_path, *rows, columns=ALPACA)))
    assert [row["prompt"] for row in made] == [
        turn("user", "Add.\n\n2 and 3"),
        turn("user", "Add 2 and 3."),
    ]
    assert made[0]["completion"] == turn("assistant", "5")


def test_pairs_and_labelled_answers_become_turns(tmp_path: Path) -> None:
    pair = training_rows("dpo", source(tmp_path, PAIR))[0]
    assert pair["prompt"] == turn("user", "Add 2 and 3.")
    assert pair["chosen"] == turn("assistant", "It is 5.")
    assert pair["rejected"] == turn("assistant", "It is 6.")
    labelled = list(training_rows("kto", source(tmp_path, PAIR)))
    assert [row["completion"] for row in labelled] == [pair["chosen"], pair["rejected"]]
    prompt = {"prompt": "Add 2 and 3.", "answer": "5"}
    assert training_rows("grpo", source(tmp_path, prompt))[0] == {
        **prompt,
        "prompt": pair["prompt"],
    }


def test_a_dataset_may_say_that_its_texts_are_no_chats(tmp_path: Path) -> None:
    plain = source(tmp_path, PAIR, chat=False)
    assert training_rows("dpo", plain)[0] == PAIR
    assert training_rows("sft", source(tmp_path, {"text": "Once."}))[0] == {"text": "Once."}


def test_bundled_pairs_are_turns_as_all_texts_are() -> None:
    bundled = Source(path="bundled/instructions", limit=1)
    assert training_rows("dpo", bundled)[0]["prompt"][0]["role"] == "user"
    raw = bundled.model_copy(update={"chat": False})
    assert isinstance(training_rows("dpo", raw)[0]["prompt"], str)


def test_a_text_beside_conversations_is_no_turn(tmp_path: Path) -> None:
    from datasets import Dataset

    rows = Dataset.from_list([{"prompt": "Hi", "messages": turn("user", "Hi")}])
    assert texts_in(rows, kind_named("sft").formats[0]) == []
    assert as_chats(rows, source(tmp_path, PAIR), ("messages",))[0]["prompt"] == "Hi"


@pytest.mark.parametrize(
    ("kind", "row", "settings", "since"),
    [
        ("sft", {"prompt": "Hi", "completion": "Ho"}, {}, ["turns"]),
        ("sft", {"prompt": "Hi", "completion": "Ho"}, {"chat": False}, []),
        ("sft", {"prompt": turn("user", "Hi"), "completion": turn("assistant", "Ho")}, {}, []),
        ("sft", {"instruction": "Hi", "input": "", "output": "Ho"}, {"columns": ALPACA}, None),
        ("sft", {"text": "Hi"}, {}, []),
        ("dpo", PAIR, {}, ["turns"]),
        ("kto", PAIR, {}, ["turns"]),
        ("grpo", {"prompt": "Hi"}, {}, ["turns"]),
        ("dpo", {"question": "1 + 1?", "answer": "#### 2"}, {}, []),
    ],
)
def test_what_is_read_otherwise_than_once_is_named(
    tmp_path: Path, kind: StageKind, row: dict[str, Any], settings: Any, since: list[str] | None
) -> None:
    asked = StageSettings(kind=kind, dataset=source(tmp_path, row, **settings))
    assert read_since(asked) == (["turns", "input"] if since is None else since)


@pytest.mark.parametrize(
    ("template", "since"), [(CHATML, []), (templates.OPENS_A_THOUGHT, ["opened"])]
)
def test_a_template_that_opens_answers_makes_another_node(
    tmp_path: Path, tiny_model: Path, template: str, since: list[str]
) -> None:
    base = ModelRef(path=str(tiny_model), dtype="float32", device="cpu", chat_template=template)
    problem = {"question": "1 + 1?", "answer": "#### 2"}
    settings = StageSettings(kind="sft", dataset=source(tmp_path, problem))
    assert rows_identity(settings, base) == ({"rows": since} if since else {})
    rewarded = settings.model_copy(update={"kind": "grpo", "rewards": ["correctness"]})
    assert rows_identity(rewarded, base) == {}
    raw = StageSettings(kind="dpo", dataset=source(tmp_path, PAIR, chat=False))
    assert rows_identity(raw, base) == {}


def test_texts_that_are_turns_now_make_another_node_and_raw_ones_the_old(
    tmp_path: Path, tiny_recipe: Path
) -> None:
    rows = source(tmp_path, PAIR)
    turns, plain = (_node_of(tiny_recipe, rows.path, chat) for chat in ("true", "false"))
    assert turns.id != plain.id
    assert turns.identity["rows"] == ["turns"]
    # as it was written before datasets could say `chat`
    assert "rows" not in plain.identity
    assert "chat" not in plain.identity["dataset"]


def _node_of(recipe: Path, path: str, chat: str) -> Any:
    changed = f"stages.dpo.dataset={{path: '{path}', chat: {chat}}}"
    nodes = make_plan(load_recipe(str(recipe), [changed])).nodes
    return next(node for node in nodes if node.kind == "dpo")


def test_the_evaluation_asks_an_instruction_with_its_input(tmp_path: Path) -> None:
    row = {"instruction": "Add.", "input": "2 and 3", "target": "5"}
    own = source(tmp_path, row, columns={"prompt": "instruction"})
    assert load_own("mine", own, "test", None)[0].prompt == turn("user", "Add.\n\n2 and 3")
    assert own_fingerprint(own).endswith("with inputs")
    pair = {"instruction": "Add.", "input": "2 and 3", "chosen": "5", "rejected": "6"}
    pairs = source(tmp_path, pair, columns={"prompt": "instruction"})
    assert load_preferences(pairs)[0].prompt == turn("user", "Add.\n\n2 and 3")
    assert preferences_fingerprint(pairs).endswith("with inputs")


def test_an_input_that_is_a_number_is_asked_and_trained(tmp_path: Path) -> None:
    row = {"instruction": "Double it.", "input": 4, "output": "8"}
    for number, columns in enumerate(({}, {"prompt": "instruction", "completion": "output"})):
        (tmp_path / str(number)).mkdir()
        rows = source(tmp_path / str(number), row, columns=columns)
        assert training_rows("sft", rows)[0]["prompt"] == turn("user", "Double it.\n\n4")


def test_an_input_column_of_other_prompts_is_no_input(tmp_path: Path) -> None:
    code = source(tmp_path, {"prompt": "Sort it.", "input": "3 1 2", "completion": "1 2 3"})
    assert input_column(code, ["prompt", "input"]) is None
    assert training_rows("sft", code)[0]["prompt"] == turn("user", "Sort it.")
    assert with_input("Sort it.", None) == "Sort it."


def test_a_reward_is_shown_texts_where_the_rows_have_texts() -> None:
    def sizes(*, prompts: list[str], completions: list[str], weight: float, **_: Any) -> Any:
        return [weight * len(text) for text in (*prompts, *completions)]

    async def later(**passed: Any) -> Any:
        return sizes(**passed)

    passed = {"prompts": [turn("user", "abc")], "completions": [turn("assistant", "ab")]}
    assert shown_texts(sizes)(**passed, weight=1.0) == [3.0, 2.0]
    assert shown_texts(sizes).__name__ == "sizes"
    assert asyncio.run(shown_texts(later)(**passed, weight=2.0)) == [6.0, 4.0]  # type: ignore[arg-type]  # a coroutine


def test_what_a_template_is_shown_of_a_row_stays_with_it(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    prompt = [*turn("user", "2 + 3?"), called, {"role": "tool", "name": "add", "content": "5"}]
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    row = {"prompt": prompt, "target": "5", "tools": [tool], "chosen": "5", "rejected": "6"}
    asked = load_own("mine", source(tmp_path, row), "test", None)[0]
    assert asked.prompt[1] == as_turn(called) == {**called, "content": ""}
    assert asked.prompt[2] == prompt[2]
    assert own_fingerprint(source(tmp_path, row)).endswith("with tools")
    pair = load_preferences(source(tmp_path, row))[0]
    assert pair.prompt == asked.prompt
    assert pair.beside == {"tools": [tool]}
    talk = {"messages": [*prompt, *turn("assistant", "5")], "tools": [tool], "score": 1}
    trained = training_rows("sft", source(tmp_path, talk))[0]
    assert set(trained) == {"prompt", "completion", "tools"}
    assert trained["tools"] == [tool]
    settings = StageSettings(kind="sft", dataset=source(tmp_path, talk))
    assert read_since(settings) == ["tools"]
    rewarded = StageSettings(kind="grpo", dataset=source(tmp_path, row), rewards=["exact"])
    learnt_from = first_training_rows(rewarded)[0]
    assert json.loads(learnt_from["tools"]) == [tool]
    assert learnt_from["prompt"] == asked.prompt
