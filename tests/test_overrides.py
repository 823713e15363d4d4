"""Fields of a recipe set by dotted keys, and what stages are called."""

from typing import Any

import pytest

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.overrides import apply_override, read_override, set_field
from stagelift.harness.recipes.stage_names import stage_names


def changed(content: dict[str, Any], *overrides: str) -> dict[str, Any]:
    for override in overrides:
        apply_override(content, override)
    return content


def test_stages_are_called_by_their_kind_and_later_ones_of_a_kind_by_a_number() -> None:
    assert stage_names(["sft", "dpo", "sft", "sft"]) == ["sft", "dpo", "sft-2", "sft-3"]
    assert stage_names([]) == []


def test_a_value_is_read_as_yaml() -> None:
    assert read_override("lora.target_modules=[q_proj, v_proj]", "seed=1") == (
        "lora.target_modules",
        ["q_proj", "v_proj"],
    )
    assert read_override("name=a=b", "seed=1") == ("name", "a=b")


@pytest.mark.parametrize("text", ["seed", "=1", ""])
def test_what_is_no_pair_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not key=value\. Write it as --set seed=1\."):
        read_override(text, "seed=1")


def test_sections_that_are_not_there_are_made() -> None:
    assert changed({"lora": None}, "lora.r=4", "evals.accuracy.limit=8") == {
        "lora": {"r": 4},
        "evals": {"accuracy": {"limit": 8}},
    }


def test_a_stage_is_reached_by_its_name_or_its_position_however_it_is_written() -> None:
    content = {"stages": ["sft", {"dpo": None}, {"sft": {"args": {"max_steps": 1}}}]}
    changed(content, "stages.sft-2.args.max_steps=9", "stages.dpo.args={beta: 0.3}")
    changed(content, "stages.0.sft.args.max_steps=2")
    assert content["stages"] == [
        {"sft": {"args": {"max_steps": 2}}},
        {"dpo": {"args": {"beta": 0.3}}},
        {"sft": {"args": {"max_steps": 9}}},
    ]


def test_null_takes_a_stage_out_by_its_name_or_its_position() -> None:
    content = {"stages": ["sft", {"dpo": None}, {"sft": {}}], "seeds": [0, 1]}
    assert changed(content, "stages.sft-2=null", "stages.0=null")["stages"] == [{"dpo": None}]


def test_other_lists_are_entered_by_position() -> None:
    assert changed({"seeds": [0, 1]}, "seeds.1=7") == {"seeds": [0, 7]}


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("stages.grpo.args", "there is no stage 'grpo'. Stages: sft, dpo."),
        ("seeds.2", "before '2' there is a list of 2, which is entered by a position from 0 on."),
        ("seed.low", "before 'low' there is the value 7."),
    ],
)
def test_a_key_that_leads_nowhere_says_what_is_there(key: str, says: str) -> None:
    content = {"stages": ["sft", "dpo"], "seeds": [0, 1], "seed": 7}
    with pytest.raises(UsageError) as refused:
        set_field(content, key, 1, f"--set {key}=1")
    assert str(refused.value) == f"--set {key}=1 leads nowhere: {says}"
