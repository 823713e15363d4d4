"""Which judge a recipe names: its id for the contract, and what is refused without asking a
server.
"""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from stagelift.evals.judges.load import (
    JudgeSettings,
    check_judge,
    judge_identity,
    judges_prompts,
    load_judge,
)
from tests.judges import pair, said


def settings(**fields: object) -> JudgeSettings:
    return TypeAdapter(JudgeSettings).validate_python(fields)


@pytest.mark.parametrize(
    ("kind", "id_", "prompts"),
    [
        ("reference", "reference-2", False),
        ("longest", "control-longest-1", True),
        ("random", "control-random-1", True),
    ],
)
def test_the_id_of_a_judge_is_its_name_with_a_version(
    kind: str, id_: str, prompts: bool, tmp_path: Path
) -> None:
    wanted = settings(kind=kind)
    assert judge_identity(wanted) == (id_, None)
    assert load_judge(wanted, tmp_path / "answers.jsonl", "cpu").id == id_
    assert judges_prompts(wanted) is prompts
    check_judge(wanted)


def test_a_servers_judge_has_its_prompt_in_the_contract_and_is_not_asked_for_it() -> None:
    name, prompt = judge_identity(
        settings(kind="openai", base_url="http://127.0.0.1:1/v1", model="m")
    )
    assert "m" in name and prompt


def test_verdicts_that_are_no_file_are_refused(tmp_path: Path) -> None:
    missing = tmp_path / "verdicts.jsonl"
    with pytest.raises(ValueError, match=f"'{missing}' is not a file"):
        check_judge(settings(kind="verdicts", path=str(missing)))


def test_the_longest_wins_whatever_it_says() -> None:
    judge = load_judge(settings(kind="longest"), Path(), "cpu")
    opinions = judge.decide([pair(said("No"), said("Yes, of course.")), pair(said("a"), said("b"))])
    assert [opinion.score for opinion in opinions] == [0, 0.5]
