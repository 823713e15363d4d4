from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.source import Source
from stagelift.stages.kinds import kind_named
from stagelift.stages.settings import StageKind, training_config

BUNDLED = Source(path="bundled/schoolmath")


def config(kind: StageKind, args: dict[str, Any]) -> Any:
    return training_config(kind_named(kind), args, Path("unused"), 3, "cpu", "float32")


def test_arguments_reach_trl_as_they_are_and_strings_become_numbers() -> None:
    built = config(
        "sft",
        {"max_steps": 7, "learning_rate": "1e-3", "lr_scheduler_type": "cosine", "packing": True},
    )
    assert (built.max_steps, built.learning_rate, built.packing, built.seed) == (7, 1e-3, True, 3)
    assert built.lr_scheduler_type == "cosine"
    assert built.bf16 is False and built.fp16 is False and built.activation_checkpointing is False


@pytest.mark.parametrize(
    ("kind", "args", "says"),
    [
        (
            "sft",
            {"learnin_rate": 1},
            "Stage 'sft': SFTConfig has no argument 'learnin_rate'; did you mean 'learning_rate'?",
        ),
        ("sft", {"learning_rate": "fast"}, "'learning_rate' is 'fast'"),
        ("dpo", {"seed": 1}, "the recipe's `seed`"),
        ("dpo", {"bf16": True}, "`model.dtype`"),
        ("dpo", {"loss_type": 5}, "loss_type"),
        (
            "grpo",
            {"per_device_train_batch_size": 10, "num_generations": 4},
            "must be divisible by num_generations",
        ),
        ("grpo", {"num_generations": 1}, "at least 2"),
        ("grpo", {"num_generations": 0}, "Stage 'grpo': "),
        ("sft", {"save_total_limit": 1}, "cannot be set"),
        ("sft", {"eval_strategy": "steps"}, "stagelift evaluates after the stage"),
    ],
)
def test_what_trl_would_not_take_is_refused_in_one_sentence(
    kind: StageKind, args: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        config(kind, args)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("args", "every"),
    [
        ({"steps_per_generation": 4, "num_iterations": 2}, 8),
        ({"steps_per_generation": 3, "gradient_accumulation_steps": 2}, 3),
        ({"generation_batch_size": 32}, 4),
        # generates at every step: anywhere is fine
        ({"gradient_accumulation_steps": 4}, 0.1),
    ],
)
def test_grpo_saves_only_where_it_is_about_to_generate(args: dict[str, Any], every: float) -> None:
    assert config("grpo", {"per_device_train_batch_size": 8, **args}).save_steps == every
    if every > 1:
        with pytest.raises(ValueError, match=f"multiple of {every}"):
            config("grpo", {"per_device_train_batch_size": 8, **args, "save_steps": every + 1})


def test_building_a_config_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config("sft", {})
    assert list(tmp_path.iterdir()) == []
