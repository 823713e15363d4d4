"""What is trained begins with what the evaluation asks, to the byte, in templates of every kind."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.random_model import CHATML, school_tokenizer
from stagelift.evals.ask import prompt_of_row
from stagelift.evals.data.own_rows import load_own
from stagelift.evals.data.source import Source
from stagelift.evals.models.chat import answered, asked, opens_answers
from stagelift.evals.models.model import ModelRef
from stagelift.stages.kinds import kind_named
from stagelift.stages.lora import load_policy
from stagelift.stages.rows.as_asked import as_asked
from stagelift.stages.rows.as_tokens import row_as_tokens, shown
from stagelift.stages.rows.training import training_rows
from stagelift.stages.settings import StageSettings, training_config
from stagelift.stages.tools import ShowsTools
from tests import templates
from tests.rewards import share_of_letters
from tests.test_source import jsonl

TEMPLATES = {
    "chatml": CHATML,
    **{name: text for name, text in vars(templates).items() if re.fullmatch("[A-Z][A-Z_]+", name)},
}
ALIKE = sorted(name for name in TEMPLATES if name != "ASKS_OTHERWISE")
ASK = [{"role": "user", "content": " What is 2 + 3? "}]
LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}
SAY = [{"role": "assistant", "content": "It is 5.\n"}]


def tokenizer(template: str) -> Any:
    made = school_tokenizer()
    made.chat_template = template
    return made


@pytest.mark.parametrize("name", ALIKE)
def test_an_answer_stands_after_all_that_is_asked(name: str) -> None:
    prompt, whole = answered(tokenizer(TEMPLATES[name]), ASK, SAY)
    assert prompt == asked(tokenizer(TEMPLATES[name]), ASK)
    assert whole.startswith(prompt)
    assert whole.rstrip().endswith("It is 5.<|im_end|>") or "It is 5.\n<|im_end|>" in whole


@pytest.mark.parametrize(
    ("said", "after_the_thought_was_opened"),
    [
        ("It is 5.", "\n</think>\n\nIt is 5.<|im_end|>\n"),
        ("<think>\n2 and 3.\n</think>\n\nIt is 5.", "2 and 3.\n</think>\n\nIt is 5.<|im_end|>\n"),
        ("2 and 3.\n</think>\n\nIt is 5.", "2 and 3.\n</think>\n\nIt is 5.<|im_end|>\n"),
    ],
)
def test_a_thought_that_the_template_opens_is_gone_on_with(
    said: str, after_the_thought_was_opened: str
) -> None:
    answer = [{"role": "assistant", "content": said}]
    prompt, whole = answered(tokenizer(templates.OPENS_A_THOUGHT), ASK, answer)
    assert prompt.endswith("<|im_start|>assistant\n<think>\n")
    assert whole == prompt + after_the_thought_was_opened


def test_a_thought_in_a_field_of_its_own_is_written_where_it_was_opened() -> None:
    answer = [{"role": "assistant", "content": "It is 5.", "reasoning_content": "2 and 3."}]
    prompt, whole = answered(tokenizer(templates.OPENS_A_THOUGHT), ASK, answer)
    assert whole == f"{prompt}2 and 3.\n</think>\n\nIt is 5.<|im_end|>\n"


def test_what_cannot_be_the_same_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ends what it asks with 'model\\n', and leaves that out"):
        answered(tokenizer(templates.ASKS_OTHERWISE), ASK, SAY)


def test_which_templates_open_answers() -> None:
    opening = [name for name, text in TEMPLATES.items() if opens_answers(tokenizer(text))]
    assert opening == ["OPENS_A_THOUGHT", "ASKS_OTHERWISE"]


def turns(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


ROW = {"prompt": "What is 2 + 3?", "target": "5"}
ANSWERS = {
    "sft": {"completion": "It is 5."},
    "dpo": {"chosen": "It is 5.", "rejected": "It is 6."},
    "kto": {"completion": "It is 5.", "label": True},
    "grpo": {},
    "rloo": {},
}


def row_of(kind: str, how: str) -> dict[str, Any]:
    """A row of a kind: as texts, as turns, or as turns with a tool."""
    row = {**ROW, **ANSWERS[kind]}
    if how == "texts":
        return row
    made: dict[str, Any] = {
        name: turns("user" if name == "prompt" else "assistant", str(value))
        if name not in ("label", "target")
        else value
        for name, value in row.items()
    }
    if how == "tools":
        made["tools"] = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
        made["chat_template_kwargs"] = {"thoughts": True}
    return made


def prompts_of(trainer: Any) -> list[int]:
    """Return the prompt of the first row as a trainer of TRL's is given it, as tokens."""
    rows = trainer.train_dataset
    if "prompt_ids" in rows.column_names:
        return list(rows[0]["prompt_ids"])
    if "labels" in rows.column_names:
        pairs = zip(rows[0]["input_ids"], rows[0]["labels"], strict=True)
        return [token for token, label in pairs if label == -100]
    assert isinstance(trainer, ShowsTools)
    trainer.train()
    # as the last generation saw its rows
    tokens, _, _ = trainer._tokenize_prompts([rows[0]["prompt"]] * len(trainer.beside))
    return list(tokens[0])


def answers_of(trainer: Any) -> list[list[int]]:
    """Return the answers of the first row in the same way."""
    row = trainer.train_dataset[0]
    if "labels" in row:
        return [[label for label in row["labels"] if label != -100]]
    return [
        row[f"{name}_ids"] for name in ("completion", "chosen", "rejected") if f"{name}_ids" in row
    ]


def trainer_of(kind: str, source: Source, model: Path, tokenizer: Any, folder: Path) -> Any:
    known = kind_named(kind)
    args: dict[str, Any] = {"max_steps": 1, "per_device_train_batch_size": 2}
    if known.rewarded:
        args["num_generations"] = 2
    settings = StageSettings(kind=kind, dataset=source, args=args)
    return known.trainer(
        model=load_policy(ModelRef(path=str(model), dtype="float32", device="cpu"), LORA, 0),
        args=training_config(known, args, folder, 0, "cpu", "float32"),
        train_dataset=as_asked(known, training_rows(settings), tokenizer),
        processing_class=tokenizer,
        **({"reward_funcs": [share_of_letters]} if known.rewarded else {}),
    )


@pytest.mark.parametrize("how", ["texts", "turns", "tools"])
@pytest.mark.parametrize("kind", list(ANSWERS))
@pytest.mark.parametrize("name", ["OPENS_A_THOUGHT", "SHOWS_TOOLS"])
def test_a_trainer_is_given_the_tokens_that_are_asked_and_shown(
    tiny_model: Path, tmp_path: Path, name: str, kind: str, how: str
) -> None:
    compare(tiny_model, tmp_path, name, kind, how)


@pytest.mark.real
@pytest.mark.parametrize("how", ["texts", "turns", "tools"])
@pytest.mark.parametrize("kind", list(ANSWERS))
@pytest.mark.parametrize(
    "name", [name for name in ALIKE if name not in ("OPENS_A_THOUGHT", "SHOWS_TOOLS")]
)
def test_a_trainer_is_given_the_same_in_every_template(
    tiny_model: Path, tmp_path: Path, name: str, kind: str, how: str
) -> None:
    compare(tiny_model, tmp_path, name, kind, how)


def compare(tiny_model: Path, tmp_path: Path, name: str, kind: str, how: str) -> None:
    """What a trainer trains on, what the evaluation asks and what the check shows are one text."""
    words = tokenizer(TEMPLATES[name])
    source = Source(path=str(jsonl(tmp_path / "rows.jsonl", [row_of(kind, how)] * 2)))
    trainer = trainer_of(kind, source, tiny_model, words, tmp_path)
    problem = load_own("mine", source, "test", None)[0]
    evaluated = prompt_of_row(words, problem, 8).text
    assert shown(prompts_of(trainer), words) == evaluated
    settings = StageSettings(kind=kind, dataset=source)
    row = training_rows(settings)[0]
    prompt, *rest = row_as_tokens(kind_named(kind), row, {}, words)
    assert prompt.tokens == prompts_of(trainer)
    assert not prompt.learnt
    assert [part.tokens for part in rest] == answers_of(trainer)
    assert all(part.learnt and shown(part.tokens, words) for part in rest)
