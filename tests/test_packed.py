"""A batch as one sequence: every token once, and the same states as in padded rows."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from stagelift.stages.packed import attention
from stagelift.stages.packed.fits import why_not
from stagelift.stages.packed.forward import packed
from stagelift.stages.packed.layout import layout_of

# two rows that share 3 tokens after padding on the left, and one with none of them
TOKENS = torch.tensor([[0, 5, 6, 7, 8, 9], [0, 5, 6, 7, 3, 0], [4, 5, 6, 0, 0, 0]])
MASK = torch.tensor([[0, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0]])
SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "attn_implementation": "sdpa",
}


def small(kind: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SMALL | settings)).eval()


def test_tokens_that_rows_begin_with_alike_are_there_once() -> None:
    layout = layout_of(TOKENS, MASK)
    assert layout is not None
    there = zip(layout.tokens[0].tolist(), layout.positions[0].tolist(), strict=True)
    assert sorted(there) == [(3, 4), (4, 0), (5, 1), (5, 1), (6, 2), (6, 2), (7, 3), (8, 4), (9, 5)]
    assert torch.equal(layout.tokens[0][layout.states][MASK.bool()], TOKENS[MASK.bool()])
    assert layout.rows.nodes.shape == (3, 5)
    assert torch.equal(layout.rows.nodes[0], layout.states[0, 1:])
    assert torch.equal(
        layout.rows.nodes.flatten()[layout.rows.places], torch.arange(layout.tokens.shape[1])
    )


def test_rows_without_padding_that_share_nothing_stay_as_they_are() -> None:
    assert layout_of(torch.tensor([[1, 2], [2, 1]]), torch.ones(2, 2)) is None
    assert layout_of(torch.tensor([[1, 2], [2, 1]]), torch.zeros(2, 2)) is None


@pytest.mark.parametrize(
    "kind", ["llama", "qwen2", "qwen3", "gemma", "gpt_neox", "gpt2", "phi", "olmo2", "mixtral"]
)
def test_states_and_gradients_are_those_of_padded_rows(kind: str) -> None:
    model = small(kind, **NO_DROPOUT.get(kind, {}))
    assert why_not(model) is None
    usual, usual_gradient = states_and_gradient(model)
    with packed(model.base_model):
        assert attention.NAME in ALL_ATTENTION_FUNCTIONS.valid_keys()
        states, gradient = states_and_gradient(model)
    assert torch.allclose(states, usual, atol=1e-5)
    assert torch.allclose(gradient, usual_gradient, rtol=1e-4, atol=1e-5)
    assert torch.equal(states_and_gradient(model)[0], usual)
    assert "forward" not in vars(model.base_model)


NO_DROPOUT: dict[str, dict[str, Any]] = {
    "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "mixtral": {"num_local_experts": 2},
}


def states_and_gradient(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    model.zero_grad()
    states = model.base_model(input_ids=TOKENS, attention_mask=MASK).last_hidden_state
    seen = states[MASK.bool()]
    (seen * torch.linspace(-1, 1, seen.numel()).view_as(seen)).sum().backward()
    return seen.detach(), model.get_input_embeddings().weight.grad.clone()


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("mistral", {"sliding_window": 4}, "its layers do not all attend to everything before"),
        ("gemma3_text", {}, "its layers do not all attend to everything before"),
        ("llama", {"attn_implementation": "eager"}, "attention is computed by eager"),
        ("gpt2", {}, "dropout would be the same in rows that begin alike"),
        ("llama", {"attention_dropout": 0.1}, "dropout would be the same"),
        ("lfm2", {"layer_types": ["conv", "full_attention"]}, "its layers do not all attend"),
    ],
)
def test_a_model_that_would_see_something_else_is_left_alone(
    kind: str, settings: dict[str, Any], reason: str
) -> None:
    assert reason in (why_not(small(kind, **settings)) or "")


def test_a_model_whose_states_change_is_left_alone() -> None:
    model = small("llama")
    inner = model.base_model.forward

    def with_what_came_before(*args: Any, **given: Any) -> Any:
        out = inner(*args, **given)
        out.last_hidden_state = out.last_hidden_state + out.last_hidden_state.roll(1, dims=1)
        return out

    model.base_model.forward = with_what_came_before
    assert why_not(model) == "its states were not the same when tried"
    assert model.base_model.forward is with_what_came_before


def test_a_call_with_a_cache_is_left_alone() -> None:
    model = small("llama")
    with torch.no_grad():
        usual = model.generate(TOKENS[:1, 1:], max_new_tokens=6, do_sample=False)
        with packed(model.base_model):
            assert torch.equal(
                model.generate(TOKENS[:1, 1:], max_new_tokens=6, do_sample=False), usual
            )
