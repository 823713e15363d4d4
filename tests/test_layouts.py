"""Training data in the layouts that people have: what becomes of a row, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.source import Source
from stagelift.stages.kto import KTO
from stagelift.stages.rows.checked import check_rows_laid_out
from stagelift.stages.rows.conversations import conversation, transcript
from stagelift.stages.rows.labels import as_label
from stagelift.stages.rows.layouts import Layout, layout_of
from stagelift.stages.rows.reader import read
from stagelift.stages.rows.table import columns_made
from stagelift.stages.rows.training import check_training_source, read_since, were_texts
from stagelift.stages.settings import StageKind, StageSettings
from tests.test_source import jsonl, training_rows


def user(text: object) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: object) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


BE_KIND = {"role": "system", "content": "Be kind."}
SHAREGPT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
TALK = [user("Hi"), said("Hello")]


def of(folder: Path, *rows: dict[str, Any], **settings: Any) -> Source:
    return Source(path=str(jsonl(folder / "rows.jsonl", list(rows))), **settings)


def made(kind: StageKind, source: Source) -> list[dict[str, Any]]:
    check_training_source(kind, source)
    return list(training_rows(kind, source))


@pytest.mark.parametrize(
    ("kind", "row", "becomes"),
    [
        # ShareGPT, LLaMA-Factory
        (
            "sft",
            {"conversations": SHAREGPT},
            {"prompt": [user("Hi")], "completion": [said("Hello")]},
        ),
        (
            "sft",
            {"conversations": SHAREGPT, "system": "Be kind."},
            {"prompt": [BE_KIND, user("Hi")], "completion": [said("Hello")]},
        ),
        # Capybara
        (
            "sft",
            {"source": "x", "conversation": [{"input": "Hi", "output": "Hello"}]},
            {"prompt": [user("Hi")], "completion": [said("Hello")]},
        ),
        # a list in a CSV cell, or in a parquet file that pandas wrote
        (
            "sft",
            {"messages": json.dumps(TALK)},
            {"prompt": [user("Hi")], "completion": [said("Hello")]},
        ),
        # parts, as OpenAI has them, and column by column
        (
            "sft",
            {"messages": [user([{"type": "text", "text": "Hi"}]), said("Hello")]},
            {"prompt": [user("Hi")], "completion": [said("Hello")]},
        ),
        (
            "sft",
            {"conversations": {"from": ["human", "gpt"], "value": ["Hi", "Hello"]}},
            {"prompt": [user("Hi")], "completion": [said("Hello")]},
        ),
        # Alpaca with earlier turns
        (
            "sft",
            {"instruction": "Add", "input": "1, 2", "output": "3", "history": [["Hi", "Hello"]]},
            {"prompt": [*TALK, user("Add\n\n1, 2")], "completion": [said("3")]},
        ),
        # HelpSteer
        (
            "kto",
            {"messages": TALK, "label": "good"},
            {"prompt": [user("Hi")], "completion": [said("Hello")], "label": True},
        ),
        # UltraFeedback
        (
            "dpo",
            {
                "prompt": "Hi",
                "prompt_id": "7",
                "chosen": TALK,
                "rejected": [user("Hi"), said("Go")],
                "messages": TALK,
                "score_chosen": 8.5,
            },
            {"prompt": [user("Hi")], "chosen": [said("Hello")], "rejected": [said("Go")]},
        ),
        (
            "dpo",
            {"prompt": "Hi", "chosen": [said("Hello")], "rejected": [said("Go")]},
            {"prompt": [user("Hi")], "chosen": [said("Hello")], "rejected": [said("Go")]},
        ),
        # Orca
        (
            "dpo",
            {"system": "Be kind.", "question": "Hi", "chosen": "Hello", "rejected": "Go"},
            {"prompt": [BE_KIND, user("Hi")], "chosen": [said("Hello")], "rejected": [said("Go")]},
        ),
        # a ranked pair of LLaMA-Factory
        (
            "dpo",
            {
                "conversations": SHAREGPT[:1],
                "chosen": {"from": "gpt", "value": "Hello"},
                "rejected": {"from": "gpt", "value": "Go"},
            },
            {"prompt": [user("Hi")], "chosen": [said("Hello")], "rejected": [said("Go")]},
        ),
        # HH-RLHF
        (
            "dpo",
            {
                "chosen": "\n\nHuman: Hi\n\nAssistant: Hello",
                "rejected": "\n\nHuman: Hi\n\nAssistant: Go",
            },
            {"prompt": [user("Hi")], "chosen": [said("Hello")], "rejected": [said("Go")]},
        ),
        # what stands beside a prompt stays for rewards
        (
            "grpo",
            {"conversations": SHAREGPT, "answer": "5"},
            {"conversations": SHAREGPT, "answer": "5", "prompt": [user("Hi")]},
        ),
    ],
)
def test_a_row_becomes_what_trl_takes(
    tmp_path: Path, kind: StageKind, row: dict[str, Any], becomes: dict[str, Any]
) -> None:
    source = of(tmp_path, row, row)
    assert made(kind, source) == [becomes, becomes]
    assert read_since(StageSettings(kind=kind, dataset=source)) != []


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("sft", {"messages": TALK}),
        ("sft", {"prompt": [user("Hi")], "completion": [said("Hello")], "note": "x"}),
        ("sft", {"text": "Once upon a time"}),
        ("dpo", {"chosen": TALK, "rejected": [user("Hi"), said("Go")]}),
        ("kto", {"prompt": [user("Hi")], "completion": [said("Hello")], "label": 1}),
        ("grpo", {"prompt": [user("Hi")], "answer": "5"}),
        ("grpo", {"question": "1 + 1?", "answer": "#### 2"}),
    ],
)
def test_rows_in_trls_format_stay_the_stage_that_they_were(
    tmp_path: Path, kind: StageKind, row: dict[str, Any]
) -> None:
    source = of(tmp_path, row)
    check_training_source(kind, source)
    assert read_since(StageSettings(kind=kind, dataset=source)) == []


def test_a_call_of_a_function_keeps_its_arguments_as_they_are(tmp_path: Path) -> None:
    calls = [
        [
            {"from": "human", "value": "Weather?"},
            {"from": "function_call", "value": json.dumps({"name": "look", "arguments": given})},
            {"from": "observation", "value": "12"},
            {"from": "gpt", "value": "Mild."},
        ]
        for given in ({"city": "Bonn"}, {"day": 3})
    ]
    rows = made("sft", of(tmp_path, *({"conversations": turns, "tools": "[]"} for turns in calls)))
    called = [row["prompt"][1]["tool_calls"][0]["function"] for row in rows]
    assert called == [
        {"name": "look", "arguments": {"city": "Bonn"}},
        {"name": "look", "arguments": {"day": 3}},
    ]
    assert rows[0]["prompt"][2] == {"role": "tool", "content": "12"}


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"instruction": "Who?", "context": "Al met Bo.", "response": "Al"}, {}),
        (
            {"instruction": "Who?", "context": "Al met Bo.", "response": "Al"},
            {"prompt": "instruction", "completion": "response"},
        ),
        ({"question": "Who?", "context": "Al met Bo.", "response": "Al"}, {}),
        ({"prompt": "Who?", "input": "Al met Bo.", "output": "Al"}, {}),
    ],
)
def test_the_context_of_a_question_is_asked_with_it(
    tmp_path: Path, row: dict[str, Any], columns: dict[str, str]
) -> None:
    source = of(tmp_path, row, columns=columns)
    assert made("sft", source)[0]["prompt"] == [user("Who?\n\nAl met Bo.")]
    assert read_since(StageSettings(kind="sft", dataset=source))[0].startswith("layout: ")


def test_the_context_of_a_question_with_two_answers_is_asked_with_it(tmp_path: Path) -> None:
    row = {"question": "Who?", "context": "Al met Bo.", "chosen": "Al", "rejected": "Bo"}
    assert made("dpo", of(tmp_path, row))[0]["prompt"] == [user("Who?\n\nAl met Bo.")]


def test_a_prompt_that_begins_before_whole_conversations_keeps_its_first_turns(
    tmp_path: Path,
) -> None:
    pair = {"chosen": TALK, "rejected": [user("Hi"), said("Go")]}
    source = of(tmp_path, {"prompt": [BE_KIND, user("Hi")], **pair})
    row = {"prompt": [BE_KIND, user("Hi")], "chosen": [said("Hello")], "rejected": [said("Go")]}
    assert made("dpo", source) == [row]
    assert "begun_before" in read_since(StageSettings(kind="dpo", dataset=source))[0]
    rude = [{**BE_KIND, "content": "Be rude."}, user("Hi")]
    others = {"chosen": [*rude, said("Hello")], "rejected": [*rude, said("Go")]}
    other = of(tmp_path, {"prompt": [BE_KIND, user("Hi")], **others})
    with pytest.raises(ValueError, match="neither holds the other"):
        check_training_source("dpo", other)


@pytest.mark.parametrize(
    ("kind", "beside", "says"),
    [
        ("sft", {"context": "Al met Bo."}, "have it asked with columns: {completion: answer}"),
        ("grpo", {"context": "Al met Bo."}, "have it asked with columns: {prompt: question}"),
        ("dpo", {"context": "Al met Bo."}, "or leave it out with columns: {unused: context}"),
        ("sft", {"system": "Be kind."}, "without column system:"),
        ("sft", {"instruction": "Be kind."}, "without column instruction:"),
        ("sft", {"choices": ["Al", "Bo"]}, "write it into question, or leave it out"),
    ],
)
def test_a_word_problem_is_not_asked_without_what_stands_beside_it(
    tmp_path: Path, kind: StageKind, beside: dict[str, Any], says: str
) -> None:
    row = {"question": "How many?", "answer": "2", **beside}
    with pytest.raises(ValueError, match="would ask the questions") as refused:
        check_training_source(kind, of(tmp_path, row))
    assert says in str(refused.value)


def test_what_a_refusal_says_makes_a_word_problem_with_its_context_a_prompt(
    tmp_path: Path,
) -> None:
    row = {"question": "How many?", "answer": "2", "context": "Al and Bo."}
    asked = [user("How many?\n\nAl and Bo.")]
    assert made("sft", of(tmp_path, row, columns={"completion": "answer"}))[0]["prompt"] == asked
    assert made("grpo", of(tmp_path, row, columns={"prompt": "question"}))[0]["prompt"] == asked
    made("dpo", of(tmp_path, row, columns={"unused": "context"}))


@pytest.mark.parametrize(
    ("answers", "texts"),
    [(("b", 5), ["b", "5"]), ((5, "b"), ["5", "b"]), ((2.5, 3.0), ["2.5", "3"])],
)
def test_numbers_are_answers_in_any_row(
    tmp_path: Path, answers: tuple[Any, ...], texts: list[str]
) -> None:
    source = of(tmp_path, *({"prompt": "Hi", "completion": answer} for answer in answers))
    assert [row["completion"] for row in made("sft", source)] == [[said(text)] for text in texts]


def test_turns_that_are_made_of_texts_are_known_to_be(tmp_path: Path) -> None:
    def texts(row: dict[str, Any]) -> bool:
        return were_texts(StageSettings(kind="grpo", dataset=of(tmp_path, row)))

    assert texts({"system": "Be kind.", "prompt": "2 + 2?"})
    assert texts({"prompt": "2 + 2?"})
    assert not texts({"prompt": [user("2 + 2?")]})
    assert not texts({"conversations": SHAREGPT})


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        '{"from": "EUR", "to": "USD", "value": 3}',
        '{"input": "2+2", "output": "4"}',
        '[{"input": "2+2", "output": "4"}]',
        '[{"from": "EUR", "value": 3}]',
        '{"role": "assistant", "content": "Paris"}',
        "{'content': 1}",
    ],
)
def test_an_answer_in_json_is_an_answer(tmp_path: Path, answer: str, chat: bool) -> None:
    row = {"prompt": "Write it as JSON.", "completion": answer}
    assert made("sft", of(tmp_path, row, chat=chat))[0]["completion"] in (answer, [said(answer)])


def test_turns_in_json_are_text_where_chat_is_false(tmp_path: Path) -> None:
    row = {"prompt": json.dumps([user("Hi")]), "completion": "Hello"}
    assert made("sft", of(tmp_path, row))[0]["prompt"] == [user("Hi")]
    assert made("sft", of(tmp_path, row, chat=False)) == [row]


def test_an_empty_system_text_is_none(tmp_path: Path) -> None:
    pair = {"question": "Hi", "chosen": "Hello", "rejected": "Go"}
    rows = made("dpo", of(tmp_path, {**pair, "system": "Be kind."}, {**pair, "system": ""}))
    assert [row["prompt"] for row in rows] == [[BE_KIND, user("Hi")], [user("Hi")]]


def test_a_text_beside_an_instruction_is_read_where_columns_name_it(tmp_path: Path) -> None:
    row = {"instruction": "Hi", "input": None, "output": "Hello", "text": "### Hi\n### Hello"}
    assert "text" not in made("sft", of(tmp_path, row))[0]
    assert made("sft", of(tmp_path, row, columns={"text": "text"})) == [row]


def test_labels_of_one_and_minus_one_are_told_by_the_column(tmp_path: Path) -> None:
    rows = [
        {"prompt": [user("Hi")], "completion": [said("Hello")], "label": label} for label in (1, -1)
    ]
    assert [row["label"] for row in made("kto", of(tmp_path, *rows))] == [True, False]


@pytest.mark.parametrize(
    ("kind", "rows", "says"),
    [
        (
            "dpo",
            [{"prompt": "Bye", "chosen": TALK, "rejected": [user("Hi"), said("Go")]}],
            "has the prompt 'Bye', but chosen and rejected answer 'Hi'",
        ),
        ("dpo", [{"chosen": TALK, "rejected": [user("Ho"), said("Go")]}], "different prompts"),
        ("dpo", [{"chosen": "Hello", "rejected": "Go"}], "has two answers and no prompt"),
        (
            "dpo",
            [{"prompt": "Hi", "response_0": "a", "response_1": "b", "better_response_id": 0}],
            "Write the better answer as chosen",
        ),
        (
            "sft",
            [{"problem": "1 + 1?", "solution": "1 + 1 = 2", "answer": "2"}],
            "columns: {completion: solution} or {completion: answer}",
        ),
        ("sft", [{"messages": str(TALK)}], "a list as Python prints it"),
        ("sft", [{"messages": [user([{"type": "image_url"}]), said("Hello")]}], "only text"),
        ("sft", [{"messages": [{"role": "critic", "content": "No"}]}], "has a turn of 'critic'"),
        ("sft", [{"messages": [BE_KIND, BE_KIND, *TALK]}], "turn 2 of the system"),
        ("sft", [{"messages": [user("Hi"), *TALK]}], "has turns 1 and 2 both of the user"),
        ("sft", [{"messages": TALK}, {"prompt": "Hi", "completion": "Ho"}], "Row 2 .*messages"),
        (
            "sft",
            [{"messages": TALK}, {"messages": [user(None), said("Ho")]}],
            r"Row 2 .*\(line 2\)",
        ),
        ("kto", [{"prompt": "Hi", "completion": "Ho", "score": 4}], "Make label of score"),
        ("grpo", [{"prompt": TALK}], "ends with the assistant"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_what_would_work(
    tmp_path: Path, kind: StageKind, rows: list[dict[str, Any]], says: str
) -> None:
    with pytest.raises(ValueError, match=r"^(Row|Dataset|Stage) ") as refused:
        check_training_source(kind, of(tmp_path, *rows))
    refused.match(says) if "*" in says else None
    assert "*" in says or says in str(refused.value)


def test_what_is_made_of_rows_is_the_name_of_their_layout() -> None:
    row = {
        "question": "Hi",
        "system": "Be kind.",
        "answer": "Hello",
        "response": "Ho",
        "label": "bad",
    }
    source = Source(path="rows.jsonl", columns={"completion": "response"})
    renamed = {"completion" if name == "response" else name: row[name] for name in row}
    layout = layout_of(KTO, source, [*renamed], renamed)
    # a question with an answer is a word problem to every kind
    assert layout == Layout(("question", "answer"), {"question": "question", "answer": "answer"})
    del renamed["answer"]
    labelled = layout_of(KTO, source, [*renamed], renamed)
    assert labelled is not None
    assert labelled.name == "prompt=question system=system roles labels"
    assert list(columns_made(labelled, renamed)) == ["prompt", "completion", "label"]
    assert read(labelled, renamed)["label"] is False


def test_the_first_row_that_cannot_be_read_is_the_one_that_is_named() -> None:
    layout = Layout(("text",), {"text": "text"})
    rows = [{"text": "a"}, {"text": ""}, {"text": None}]
    with pytest.raises(ValueError, match=r"^Row 2 of dataset 'no.parquet' has '' in column 'text'"):
        check_rows_laid_out(layout, Source(path="no.parquet"), rows, rewarded=False)


@pytest.mark.parametrize("label", [True, 1, 1.0, "1", "True", "+1", "Good", "chosen", "yes"])
def test_labels_that_say_yes(label: object) -> None:
    assert as_label(label) is True


@pytest.mark.parametrize("label", [False, 0, -1, "0", "false", "-1", "bad", "rejected", "no"])
def test_labels_that_say_no(label: object) -> None:
    assert as_label(label) is False


def test_text_that_only_looks_like_turns_is_text() -> None:
    assert conversation('[{"name": "Ann"}]') is None
    assert conversation("[1, 2]") is None
    assert conversation("{not JSON") is None
    assert transcript("Human: rights are old.") is None
