import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.source import Source, column_names, fingerprint, rows
from stagelift.stages.rows.training import check_training_source
from stagelift.stages.rows.training import training_rows as rows_of_stage
from stagelift.stages.settings import StageKind, StageSettings

PROBLEM = {"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"}


def training_rows(kind: StageKind, source: Source, **args: object) -> Any:
    return rows_of_stage(StageSettings(kind=kind, dataset=source, args=args))


def jsonl(path: Path, content: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    jsonl(tmp_path / "train.jsonl", [PROBLEM] * 3)
    jsonl(tmp_path / "test.jsonl", [PROBLEM] * 2)
    return tmp_path


def test_a_folder_holds_one_file_per_split(folder: Path) -> None:
    assert len(rows(Source(path=str(folder)))) == 3
    assert len(rows(Source(path=str(folder), split="test"))) == 2
    assert len(rows(Source(path=str(folder), limit=1))) == 1


def test_the_fingerprint_follows_the_content(folder: Path) -> None:
    before = fingerprint(Source(path=str(folder)))
    assert before == fingerprint(Source(path=str(folder / "train.jsonl")))
    jsonl(folder / "train.jsonl", [PROBLEM])
    assert fingerprint(Source(path=str(folder))) != before


def test_columns_are_mapped(folder: Path) -> None:
    jsonl(folder / "chat.jsonl", [{"instruction": "Hi", "output": "Hello"}])
    source = Source(
        path=str(folder / "chat.jsonl"), columns={"prompt": "instruction", "completion": "output"}
    )
    assert set(column_names(source)) == {"prompt", "completion"}
    check_training_source("sft", source)
    plain = source.model_copy(update={"chat": False})
    assert training_rows("sft", plain)[0] == {"prompt": "Hi", "completion": "Hello"}


def test_word_problems_become_each_stages_format(folder: Path) -> None:
    source = Source(path=str(folder))
    user = [{"role": "user", "content": "Question: 1 + 1?\nAnswer:"}]
    assert training_rows("sft", source)[0]["prompt"] == user
    assert training_rows("sft", source)[0]["completion"][0]["content"] == PROBLEM["answer"]
    pair = training_rows("dpo", source)[0]
    assert pair["chosen"][0]["content"] == PROBLEM["answer"] != pair["rejected"][0]["content"]
    assert training_rows("grpo", source)[0] == {"prompt": user, "answer": PROBLEM["answer"]}


def test_trl_formats_pass_as_they_are(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    chat = Source(path=str(jsonl(tmp_path / "chat.jsonl", [{"messages": messages}])))
    check_training_source("sft", chat)
    assert training_rows("sft", chat, assistant_only_loss=True)[0]["messages"] == messages
    assert training_rows("sft", chat)[0] == {"prompt": messages[:1], "completion": messages[1:]}
    pair = {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"}
    preference = Source(path=str(jsonl(tmp_path / "pairs.jsonl", [pair])), chat=False)
    check_training_source("dpo", preference)
    assert training_rows("dpo", preference)[0] == pair


def test_a_users_own_pairs_are_not_replaced_by_ours(tmp_path: Path) -> None:
    row = {**PROBLEM, "prompt": "1 + 1?", "chosen": "2", "rejected": "3"}
    own = Source(path=str(jsonl(tmp_path / "pairs.jsonl", [row])))
    assert training_rows("dpo", own)[0]["rejected"] == [{"role": "assistant", "content": "3"}]


@pytest.mark.parametrize("reply", [None, ["Hello"]])
def test_a_row_without_text_is_named(tmp_path: Path, reply: object) -> None:
    content = [{"prompt": "Hi", "completion": "Hello"}, {"prompt": "Hi", "completion": reply}]
    with pytest.raises(ValueError, match=r"Row 2 of dataset|Cannot read dataset"):
        check_training_source("sft", Source(path=str(jsonl(tmp_path / "chat.jsonl", content))))


def test_folders_with_brackets_in_their_names_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "run[1]"
    folder.mkdir()
    jsonl(folder / "train.jsonl", [PROBLEM])
    assert len(rows(Source(path=str(folder)))) == 1
    assert column_names(Source(path=str(folder))) == ["question", "answer"]


def test_a_validation_split_of_ones_own_may_be_trained_on(folder: Path) -> None:
    jsonl(folder / "validation.jsonl", [PROBLEM])
    check_training_source("sft", Source(path=str(folder), split="validation"))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (Source(path="./nowhere"), "does not exist. Give a file, a folder or a Hub name"),
        (Source(path="FOLDER", split="validation"), "no file for split 'validation'"),
        (
            Source(path="FOLDER", columns={"prompt": "text"}),
            "Column 'text' (mapped to 'prompt') is not in dataset",
        ),
        (Source(path="FOLDER", split="test"), "would train on split 'test'"),
        (Source(path="FOLDER", split="test[:50%]"), "would train on split 'test[:50%]'"),
        (Source(path="FOLDER", split="train+test"), "would train on split 'train+test'"),
        (
            Source(path="FOLDER", columns={"answer": "question"}),
            "has a column of that name already",
        ),
        (Source(path="bundled/schoolmath", limit=10**6), "different problems"),
        (Source(path="bundled/schoolmath", split="validation"), "which is for choosing settings"),
        (Source(path="bundled/schoolmath", split="dev"), "has no split 'dev'"),
        (Source(path="FOLDER", columns={"reply": "answer"}), "cannot use dataset"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(folder: Path, source: Source, says: str) -> None:
    source = source.model_copy(update={"path": source.path.replace("FOLDER", str(folder))})
    with pytest.raises(ValueError, match=r".") as refused:
        check_training_source("sft", source)
    assert says in str(refused.value)
