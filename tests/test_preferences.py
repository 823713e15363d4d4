import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.preferences import check_preferences, load_preferences, words
from stagelift.evals.data.source import Source


def source(rows: list[dict[str, Any]], folder: Path) -> Source:
    (folder / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return Source(path=str(folder / "pairs.jsonl"), split="test")


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_trls_formats_become_the_same_pair(tmp_path: Path) -> None:
    standard = [{"prompt": "Hi?", "chosen": "Hello.", "rejected": "No."}]
    conversation = {"chosen": [turn("assistant", "Hello.")], "rejected": [turn("assistant", "No.")]}
    explicit = [{"prompt": [turn("user", "Hi?")], **conversation}]
    implicit = [{name: [turn("user", "Hi?"), *turns] for name, turns in conversation.items()}]
    pairs = []
    for rows in (standard, explicit, implicit):
        check_preferences(source(rows, tmp_path), pairs=True)
        pairs += load_preferences(source(rows, tmp_path))
    assert pairs[0] == pairs[1] == pairs[2]
    assert (words(pairs[0].prompt), pairs[0].chosen, pairs[0].rejected) == ("Hi?", "Hello.", "No.")


def test_a_word_problem_is_a_pair_with_its_answer() -> None:
    (pair,) = load_preferences(Source(path="bundled/schoolmath", split="test", limit=1))
    assert pair.chosen == pair.answer and pair.rejected != pair.chosen
    assert words(pair.prompt).startswith("Question: ")


def test_a_conversation_is_written_turn_by_turn() -> None:
    assert words([turn("user", "Hi"), turn("assistant", "Yes?"), turn("user", "Bye")]) == (
        "user: Hi\n\nassistant: Yes?\n\nuser: Bye"
    )


def test_prompts_alone_can_be_answered_but_are_no_pairs(tmp_path: Path) -> None:
    prompts = source([{"prompt": "Hi?"}], tmp_path)
    check_preferences(prompts, pairs=False)
    assert load_preferences(prompts)[0].chosen is None
    with pytest.raises(ValueError, match="chosen\\+rejected"):
        check_preferences(prompts, pairs=True)


def test_ids_do_not_depend_on_the_limit() -> None:
    few, many = (
        load_preferences(Source(path="bundled/instructions", split="test", limit=n)) for n in (3, 9)
    )
    assert many[:3] == few
