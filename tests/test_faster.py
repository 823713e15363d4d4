"""Faster steps are the steps of TRL: trained both ways, on the same rows and completions."""

import inspect
import math
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from trl.trainer import grpo_trainer, rloo_trainer, utils

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import ModelRef, load_tokenizer
from stagelift.stages import lm_head
from stagelift.stages.faster import TESTED, faster, untested_version
from stagelift.stages.groups import kept_whole
from stagelift.stages.kinds import kind_named
from stagelift.stages.lora import load_policy
from stagelift.stages.packed import forward
from stagelift.stages.rows.training import training_rows
from stagelift.stages.settings import StageSettings, training_config
from stagelift.stages.signal import only_advantages_teach
from tests.rewards import share_of_letters

LORA = {"r": 4, "target_modules": "all-linear"}
STEPS: dict[str, Any] = {
    "max_steps": 3,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "learning_rate": 1e-2,
    "max_grad_norm": 1.0,
}
OF_TRL = {"grpo": grpo_trainer.GRPOTrainer, "rloo": rloo_trainer.RLOOTrainer}
COMPLETIONS: dict[str, Any] = {"num_generations": 4, "max_completion_length": 12}


def trainer_of(kind: str, model: Path, folder: Path, of_trl: bool = False, **args: Any) -> Any:
    known = kind_named(kind)
    rewarded = {"reward_funcs": [share_of_letters]} if known.rewarded else {}
    given = STEPS | (COMPLETIONS if known.rewarded else {}) | args
    settings = StageSettings(
        kind=kind, dataset=Source(path="bundled/schoolmath", limit=24), args=given
    )
    build = OF_TRL[kind] if of_trl else known.trainer
    return build(
        model=load_policy(ModelRef(path=str(model), dtype="float32", device="cpu"), LORA, 0),
        args=training_config(known, given, folder, 0, "cpu", "float32"),
        train_dataset=training_rows(settings),
        processing_class=load_tokenizer(str(model), None, None),
        **rewarded,
    )


def learning(trainer: Any) -> dict[str, torch.Tensor]:
    return {
        name: weights for name, weights in trainer.model.named_parameters() if weights.requires_grad
    }


def trained(trainer: Any, ours: bool) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    with faster(trainer) if ours else nullcontext([]) as as_trl:
        trainer.train()
    assert as_trl == []
    weights = {name: each.detach().clone() for name, each in learning(trainer).items()}
    return trainer.state.log_history[:-1], weights


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the batches that become one sequence and those that our head scores."""
    used: Counter[str] = Counter()

    def counting(name: str, function: Any) -> Any:
        def call(*args: Any) -> Any:
            done = function(*args)
            used[name] += done is not None
            return done

        return call

    monkeypatch.setattr(forward, "layout_of", counting("packed", forward.layout_of))
    monkeypatch.setattr(lm_head.Scores, "apply", counting("scored", lm_head.Scores.apply))
    return used


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("sft", {}),
        ("sft", {"loss_type": "dft"}),
        ("dpo", {}),
        ("dpo", {"loss_type": ["ipo"], "ld_alpha": 0.5, "precompute_ref_log_probs": True}),
        ("kto", {}),
        # what every GPU does
        ("sft", {"activation_checkpointing": True}),
        ("dpo", {"activation_checkpointing": True}),
    ],
)
def test_losses_and_weights_are_those_of_trl(
    tiny_model: Path,
    tmp_path: Path,
    kind: str,
    args: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual, usual_weights = trained(trainer_of(kind, tiny_model, tmp_path / "a", **args), ours=False)
    used = counted(monkeypatch)
    logged, weights = trained(trainer_of(kind, tiny_model, tmp_path / "b", **args), ours=True)
    assert len(logged) == 3
    # it is the faster way that was compared
    assert used["packed"] >= 3 and used["scored"] >= 3
    for row, usual_row in zip(logged, usual, strict=True):
        timeless = {name for name in usual_row if not name.endswith(("_time", "per_second"))}
        for name in timeless:
            assert row[name] == pytest.approx(usual_row[name], rel=1e-4, abs=1e-5), name
    for name, each in weights.items():
        assert torch.allclose(each, usual_weights[name], atol=1e-4), name


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("grpo", {}),
        ("grpo", {"loss_type": "grpo", "beta": 0.1}),
        ("grpo", {"loss_type": "dr_grpo", "entropy_coef": 0.01}),
        ("grpo", {"loss_type": "bnpo", "top_entropy_quantile": 0.5}),
        ("grpo", {"loss_type": "cispo", "num_iterations": 2}),
        ("rloo", {"beta": 0.0}),
    ],
)
@pytest.mark.parametrize("advantages", [[1.0, -1.0, 0.5, -0.5], [1.0, 0.0, 0.0, -1.0], [0.0] * 4])
def test_the_gradient_of_the_same_completions_is_that_of_trl(
    tiny_model: Path, tmp_path: Path, kind: str, args: dict[str, Any], advantages: list[float]
) -> None:
    of_trl = trainer_of(kind, tiny_model, tmp_path, of_trl=True, **args)
    trainer = trainer_of(kind, tiny_model, tmp_path, **args)
    usual, usual_gradient = gradient(of_trl, advantages)
    with faster(trainer):
        loss, here = gradient(trainer, advantages)
    assert loss == pytest.approx(usual, abs=1e-5)
    for name, each in here.items():
        assert torch.allclose(each, usual_gradient[name], rtol=1e-4, atol=2e-6), name


def gradient(trainer: Any, advantages: list[float]) -> tuple[float, dict[str, Any]]:
    trainer.current_gradient_accumulation_steps = 2
    loss = trainer.compute_loss(trainer.model, completions(advantages))
    loss.backward()
    return loss.item(), {name: each.grad.clone() for name, each in learning(trainer).items()}


def completions(advantages: list[float]) -> dict[str, Any]:
    """Four completions of one prompt, of 6, 4, 6 and 1 tokens, with scores from before."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.tensor([[1] * length + [0] * (6 - length) for length in (6, 4, 6, 1)])
    prompt = torch.tensor([[0, 0, 9, 8, 7, 6]] * 4)
    # a random model gives every one of 600 words about this
    scores = -math.log(600) + 0.2 * torch.randn(4, 6, generator=generator)
    return {
        "prompt_ids": prompt,
        "prompt_mask": (prompt != 0).long(),
        "completion_ids": torch.randint(3, 500, (4, 6), generator=generator) * mask,
        "completion_mask": mask,
        "advantages": torch.tensor(advantages),
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": scores,
        "old_logps": (scores * mask).sum(1),
        "ref_per_token_logps": scores + 0.1,
    }


@pytest.mark.parametrize(
    ("advantages", "tokens"),
    [
        ([1.0, -1.0, 0.5, -0.5], 4 + 6 + 4 + 6 + 1),
        ([1.0, 0.0, 0.0, -1.0], 4 + 6 + 1),
        ([0.0] * 4, 0),
    ],
)
def test_a_prompt_is_computed_once_and_completions_without_signal_not_at_all(
    tiny_model: Path, tmp_path: Path, advantages: list[float], tokens: int
) -> None:
    trainer = trainer_of("grpo", tiny_model, tmp_path)
    trainer.current_gradient_accumulation_steps = 2
    seen = 0

    def count(_layer: Any, given: tuple[torch.Tensor]) -> None:
        nonlocal seen
        seen += given[0].shape[:-1].numel()

    with faster(trainer):
        layer = trainer.model.get_base_model().base_model.layers[0]
        layer.register_forward_pre_hook(count)
        trainer.compute_loss(trainer.model, completions(advantages))
    assert seen == tokens


def test_a_group_stays_together_when_a_generation_is_shuffled(
    tiny_model: Path, tmp_path: Path
) -> None:
    trainer = trainer_of("grpo", tiny_model, tmp_path)
    batch = {"advantages": torch.arange(12), "num_items_in_batch": torch.tensor(7), "images": None}
    with kept_whole(trainer):
        shuffled = grpo_trainer.shuffle_sequence_dict({**batch, "names": list(range(12))})
    groups = shuffled["advantages"].view(3, 4)
    assert sorted(groups[:, 0].tolist()) == [0, 4, 8]
    assert torch.equal(groups - groups[:, :1], torch.arange(4).expand(3, 4))
    assert shuffled["names"] == shuffled["advantages"].tolist()
    assert grpo_trainer.shuffle_sequence_dict is utils.shuffle_sequence_dict


@pytest.mark.parametrize(
    "args", [{"loss_type": "bnpo"}, {"steps_per_generation": 4}, {"entropy_coef": 0.1}]
)
def test_rows_are_shuffled_as_trl_does_where_their_order_counts(
    tiny_model: Path, tmp_path: Path, args: dict[str, Any]
) -> None:
    trainer = trainer_of("grpo", tiny_model, tmp_path, save_steps=2, **args)
    with kept_whole(trainer):
        assert grpo_trainer.shuffle_sequence_dict is utils.shuffle_sequence_dict


@pytest.mark.parametrize(
    ("kind", "args", "skips"),
    [
        ("grpo", {}, True),
        ("grpo", {"beta": 0.1}, False),
        ("grpo", {"entropy_coef": 0.01}, False),
        ("grpo", {"top_entropy_quantile": 0.5}, False),
        ("rloo", {"beta": 0.1}, True),
    ],
)
def test_only_where_nothing_else_is_learnt_completions_are_skipped(
    tiny_model: Path, tmp_path: Path, kind: str, args: dict[str, Any], skips: bool
) -> None:
    assert only_advantages_teach(trainer_of(kind, tiny_model, tmp_path, **args)) == skips


def test_another_version_runs_as_trl_has_it_and_says_so(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert untested_version() is None
    monkeypatch.setitem(TESTED, "trl", "1.15.")
    trainer = trainer_of("grpo", tiny_model, tmp_path)
    assert type(trainer) is grpo_trainer.GRPOTrainer
    with faster(trainer) as as_trl:
        assert "forward" not in vars(trainer.model.get_base_model().base_model)
    assert len(as_trl) == 1 and "trl is 1.16" in as_trl[0] and "tested with 1.15.x" in as_trl[0]


def test_an_adapter_that_begins_within_each_row_leaves_batches_as_they_are(
    tiny_model: Path, tmp_path: Path
) -> None:
    trainer = trainer_of("sft", tiny_model, tmp_path)
    trainer.model.peft_config["default"].alora_invocation_tokens = [5]
    with faster(trainer) as as_trl:
        assert "forward" not in vars(trainer.model.get_base_model().base_model)
    assert len(as_trl) == 1 and "its adapter begins at some token of each row" in as_trl[0]


def test_dropout_leaves_batches_as_they_are_and_the_record_says_so(
    tiny_model: Path, tmp_path: Path
) -> None:
    trainer = trainer_of("sft", tiny_model, tmp_path)
    trainer.model.get_base_model().base_model.layers[0].mlp.up_proj.lora_dropout["default"] = (
        torch.nn.Dropout(0.1)
    )
    with faster(trainer) as as_trl:
        assert "forward" not in vars(trainer.model.get_base_model().base_model)
    assert as_trl == [
        "Batches are padded as TRL has them: dropout would be the same in rows that begin alike."
    ]


@pytest.mark.parametrize("kind", OF_TRL.values())
def test_trl_still_asks_where_something_is_put_before_it(kind: Any) -> None:
    source = inspect.getsource(kind)
    assert source.count("shuffle_sequence_dict(") == 1
    assert "= self._get_per_token_logps_and_entropies(\n            model,\n" in source
    arguments = "self, model, input_ids, attention_mask, logits_to_keep,"
    assert f"def _get_per_token_logps_and_entropies( {arguments}" in " ".join(source.split())


def test_trl_still_scores_as_the_faster_head_does() -> None:
    source = " ".join(inspect.getsource(utils.add_fused_lm_head).split())
    assert "compact = _use_triton(hidden_states.device)" in source
    arguments = (
        "weight, bias, labels[mask] if compact else labels.clamp(min=0).reshape(-1), temperature, "
        "_CHUNKED_LOGPROB_CHUNK_SIZE, final_logit_softcapping, logit_scale, outputs, )"
    )
    assert arguments in source and "_ChunkedLogProbFunction.apply(" in source
