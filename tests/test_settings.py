import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import trl

from stagelift.evals.data.source import Source
from stagelift.stages.kind import Method
from stagelift.stages.kinds import KINDS, kind_named
from stagelift.stages.reward import REWARD_MODEL
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
        ("sft", {"chat_template_path": "x.jinja"}, "the recipe's `chat_template`"),
        ("grpo", {"chat_template_kwargs": {"enable_thinking": False}}, "the recipe's `chat_templ"),
        ("sft", {"eos_token": "</s>"}, "`model.eos_token`"),
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


BAD_NUMBERS: list[tuple[StageKind, str, Any]] = [
    *(("sft", "learning_rate", value) for value in (math.nan, math.inf, 0, -1, "nan", True, None)),
    *(("sft", "max_steps", value) for value in (0, -2, 2.5, True, 10**30)),
    *(("sft", "max_length", value) for value in (0, -1)),
    *(("dpo", "beta", value) for value in (0, -0.1, math.nan)),
    *(("grpo", "temperature", value) for value in (0, -1)),
    *(("grpo", "num_generations", value) for value in (0, 1)),
    ("sft", "per_device_train_batch_size", 0),
    ("sft", "gradient_accumulation_steps", 0),
    ("sft", "num_train_epochs", 0),
    ("sft", "weight_decay", -1),
    ("sft", "save_steps", 0),
    ("sft", "logging_steps", -1),
    ("sft", "adam_beta1", 1),
    ("sft", "data_seed", 2**32),
    ("sft", "lr_scheduler_kwargs", {"min_lr": math.nan}),
    ("kto", "beta", 0),
    ("grpo", "beta", -1),
    ("grpo", "max_completion_length", 0),
    ("grpo", "reward_weights", [1, math.nan]),
    ("rloo", "top_p", 0),
]


@pytest.mark.parametrize(("kind", "name", "value"), BAD_NUMBERS)
def test_a_number_that_no_training_can_be_done_with_is_refused_with_its_name(
    kind: StageKind, name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=rf"Stage '{kind}'.*{name}"):
        config(kind, {name: value})


@pytest.mark.parametrize(
    ("kind", "args", "says"),
    [
        (
            "grpo",
            {"per_device_train_batch_size": 10, "num_generations": 4},
            "Set per_device_train_batch_size to 8",
        ),
        ("dpo", {"loss_type": "ipoo"}, "did you mean 'ipo'?"),
        ("dpo", {"loss_type": "exo_pair"}, "args.label_smoothing is 0, and must be above 0"),
        ("dpo", {"sync_ref_model": True}, "its reference is the adapter as it came in"),
        ("dpo", {"loss_type": []}, "args.loss_type is empty"),
        (
            "dpo",
            {"f_divergence_type": "hinge"},
            "Known: reverse_kl, forward_kl, js_divergence, alpha_divergence.",
        ),
        ("grpo", {"scale_rewards": "std"}, "Known: group, batch, none."),
        ("sft", {"save_strategy": False}, "YAML reads an unquoted no as false"),
        # TRL's words name no argument: the name is found
        (
            "sft",
            {"max_steps": 1, "lr_scheduler_type": "cosin"},
            "args.lr_scheduler_type is 'cosin'",
        ),
    ],
)
def test_what_would_work_is_said(kind: StageKind, args: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        config(kind, args)
    assert says in str(refused.value)


# what a config of TRL turns into something else, or takes beside what its types say
TAKEN: dict[str, list[Any]] = {
    "loss_type": ["ipo", "robust", ["ipo"], ["sigmoid", "sft"], "nll", "chunked_nll", "dr_grpo"],
    "scale_rewards": [True, False, "group", "batch", "none"],
    "top_k": [None, 0, 50],
    "top_p": [None, 0.9],
    "min_p": [None, 0.1],
    "repetition_penalty": [None, 1.1],
    "max_grad_norm": [None, 0, 1],
    "pad_to_multiple_of": [None, 8, "8", "none", "auto"],
    "debug": ["", [], None, "underflow_overflow"],
    "include_num_input_tokens_seen": [True, False, "all"],
    "lr_scheduler_type": ["cosine", "constant_with_warmup"],
    "lr_scheduler_kwargs": [None, {"num_cycles": 1}, '{"num_cycles": 1}'],
    "optim": ["adamw_torch", "paged_adamw_8bit"],
    "optim_target_modules": [None, "all-linear", ["q"]],
    "packing_strategy": ["bfd", "wrapped", "bfd-requeue"],
    "truncation_mode": ["keep_start", "keep_end"],
    "gradient_checkpointing": [True, False, None],
    "disable_dropout": [True, False, None],
    "shuffle_dataset": [True, False, None],
    "save_strategy": ["steps", "epoch", "no"],
    "logging_strategy": ["steps", "epoch", "no"],
    "logging_steps": [1, 0.1],
    "log_level": ["debug", "warning"],
    "f_divergence_type": ["reverse_kl", "js_divergence"],
    "max_length": [None, 256],
    "max_completion_length": [None, 64],
    "max_steps": [-1, 5, 5.0],
    "warmup_steps": [0, 5, 0.1],
    "generation_kwargs": [None, {"do_sample": True}, '{"do_sample": true}'],
    "reward_clip_range": [None, [-1, 1]],
    "reward_weights": [None, [1.0, 2]],
    "trackio_static_space_id": [None, False],
    "fsdp": [None],
    "accelerator_config": [None, {"split_batches": False}],
    "beta": [0.1, 1],
    "num_generations": [2, 4],
}


def settings_of(method: Method) -> list[tuple[str, Any]]:
    known = {field.name for field in fields(getattr(trl, method.config))}
    return [(name, value) for name in TAKEN if name in known for value in TAKEN[name]]


@pytest.mark.parametrize("method", [*KINDS, REWARD_MODEL], ids=lambda method: method.name)
def test_what_trl_takes_arrives_as_trl_would_hold_it(method: Method) -> None:
    theirs = getattr(trl, method.config)
    compared = 0
    for name, value in settings_of(method):
        if name == "loss_type" and method.name not in LOSSES.get(str(value), method.name):
            continue
        held = getattr(theirs(output_dir="unused", use_cpu=True, bf16=False, **{name: value}), name)
        built = training_config(method, {name: value}, Path("unused"), 3, "cpu", "float32")
        assert getattr(built, name) == held, f"{name}: {value!r}"
        compared += 1
    assert compared > 40


@pytest.mark.parametrize(
    "args",
    [
        {"max_steps": 5, "warmup_steps": 10, "lr_scheduler_type": "constant"},
        {"max_steps": 5, "warmup_steps": 10},
        {"save_strategy": "no", "save_steps": 0},
        {"logging_strategy": "epoch", "logging_steps": 0},
    ],
)
def test_what_only_makes_no_sense_is_trained(args: dict[str, Any]) -> None:
    built = config("sft", args)
    assert {name: getattr(built, name) for name in args} == args


# which kinds have a loss of that name
LOSSES = {
    "ipo": "dpo",
    "robust": "dpo",
    "['ipo']": "dpo",
    "['sigmoid', 'sft']": "dpo",
    "nll": "sft",
    "chunked_nll": "sft",
    "dr_grpo": "grpo",
}


def test_a_loss_may_be_a_word_as_trl_writes_it() -> None:
    assert config("dpo", {"loss_type": "ipo"}).loss_type == ["ipo"]
    assert config("grpo", {"scale_rewards": False}).scale_rewards == "none"
