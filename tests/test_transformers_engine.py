"""The engine's tokens are those of transformers' own `generate`, whatever shares the slots."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    MambaConfig,
    MistralConfig,
    MixtralConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from stagelift.evals.data.gsm8k import prompt_text
from stagelift.evals.data.schoolmath import problems
from stagelift.evals.models import bundled
from stagelift.evals.models.cpu import can_pack
from stagelift.evals.models.engines import plain
from stagelift.evals.models.engines.answers import conversations, logprobs
from stagelift.evals.models.engines.cache import sight
from stagelift.evals.models.engines.endings import ending
from stagelift.evals.models.engines.engine import Answer, Completion, Request, Sampling
from stagelift.evals.models.engines.inference import inference_copy, needs_peft
from stagelift.evals.models.engines.packed import PackedLinear
from stagelift.evals.models.engines.rows import common_beginning, rows_of
from stagelift.evals.models.engines.slots import Slots
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.evals.models.engines.trial import works_in_slots
from stagelift.evals.models.model import ModelRef, load_model, load_tokenizer
from tests.test_suite import ref

QUESTIONS = [problem.question for problem in problems("train", 12)]
# of very different lengths, and one of them twice
PROMPTS = [*QUESTIONS, "1 + 1?", " ".join(QUESTIONS[:3]), QUESTIONS[4], "x"]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OTHERS = {
    "grouped heads": MistralConfig(
        **SIZES, num_key_value_heads=2, intermediate_size=64, sliding_window=None
    ),
    "window": MistralConfig(
        **SIZES, num_key_value_heads=2, intermediate_size=64, sliding_window=40
    ),
    "learned positions": GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=512, bos_token_id=1, eos_token_id=2
    ),
    "positions in the mask": BloomConfig(
        hidden_size=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
    ),
    "recurrent": MambaConfig(
        hidden_size=32, num_hidden_layers=2, state_size=4, bos_token_id=1, eos_token_id=2
    ),
}


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(tiny_model), None, None)


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> PreTrainedModel:
    return load_model(ref(tiny_model))


def other(config: Any, vocabulary: int) -> PreTrainedModel:
    """A random model of another kind."""
    torch.manual_seed(0)
    config.vocab_size = vocabulary
    return AutoModelForCausalLM.from_config(config).eval()


def with_adapter(model: PreTrainedModel, **settings: Any) -> Any:
    """An adapter that changes what the model says, ready to be trained further."""
    torch.manual_seed(1)
    tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, **settings))
    for name, weights in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weights, std=0.3)
    return tuned.train()


def generated(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, tokens: int
) -> tuple[int, ...]:
    """What transformers generates by itself, without a batch."""
    asked = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        whole = model.generate(
            asked,
            attention_mask=torch.ones_like(asked),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )
    return tuple(whole[0, asked.shape[1] :].tolist())


def complete(engine: TransformersEngine, requests: list[Request]) -> list[Completion]:
    return engine.complete(requests, lambda _: None)


def test_asked_for_nothing_it_gives_nothing(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    engine = TransformersEngine(tiny, tokenizer, 4)
    assert complete(engine, []) == []
    assert engine.answer_logprobs([]) == []


def test_tokens_are_those_of_generate(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    requests = [Request(prompt, (), 4 + 3 * n) for n, prompt in enumerate(PROMPTS)]
    expected = [generated(tiny, tokenizer, each.prompt, each.max_tokens) for each in requests]
    for slots in (3, 16):
        found = complete(TransformersEngine(tiny, tokenizer, slots), requests)
        assert [each.tokens for each in found] == expected


def test_an_adapter_that_begins_within_the_text_stays_in_peft(
    tiny_model: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    begins = tokenizer("?", add_special_tokens=False)["input_ids"]
    tuned = with_adapter(
        load_model(ref(tiny_model)), target_modules=["q_proj"], alora_invocation_tokens=begins
    )
    assert needs_peft(tuned)
    found = complete(TransformersEngine(tuned, tokenizer, 4), [Request("Is it? So", (), 8)])
    assert [each.tokens for each in found] == [generated(tuned.eval(), tokenizer, "Is it? So", 8)]


def test_adapters_on_experts_are_kept(tokenizer: PreTrainedTokenizerBase) -> None:
    config = MixtralConfig(
        **SIZES, num_key_value_heads=2, intermediate_size=32, num_local_experts=2
    )
    model = other(config, len(tokenizer))
    tuned = with_adapter(model, target_modules=[], target_parameters=["experts.down_proj"]).eval()
    found = complete(TransformersEngine(tuned, tokenizer, 4), [Request("1 + 1?", (), 8)])
    assert [each.tokens for each in found] == [generated(tuned, tokenizer, "1 + 1?", 8)]


def test_what_prompts_share_changes_nothing(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    requests = [Request(f"A long beginning for all. {prompt}", (), 12) for prompt in PROMPTS]
    tokens = tokenizer([each.prompt for each in requests], add_special_tokens=False)["input_ids"]
    assert len(common_beginning([*map(tuple, tokens)])) > 5
    found = complete(TransformersEngine(tiny, tokenizer, 5), requests)
    assert [each.tokens for each in found] == [
        generated(tiny, tokenizer, each.prompt, 12) for each in requests
    ]


@pytest.mark.parametrize("dora", [False, True])
def test_an_adapter_is_merged_and_the_policy_stays_as_it_is(
    tiny_model: Path, tokenizer: PreTrainedTokenizerBase, dora: bool
) -> None:
    policy = with_adapter(load_model(ref(tiny_model)), use_dora=dora, lora_dropout=0.5)
    before = {name: weights.clone() for name, weights in policy.state_dict().items()}
    requests = [Request(prompt, (), 8) for prompt in PROMPTS]
    found = complete(TransformersEngine(policy, tokenizer, 4), requests)
    assert policy.training
    assert all(torch.equal(weights, before[name]) for name, weights in policy.state_dict().items())
    policy.eval()
    assert [each.tokens for each in found] == [
        generated(policy, tokenizer, each.prompt, 8) for each in requests
    ]
    with policy.disable_adapter():
        assert found[0].tokens != generated(policy, tokenizer, PROMPTS[0], 8)


def test_a_layer_whose_forward_was_replaced_is_copied_as_its_class_has_it(
    tiny_model: Path,
) -> None:
    policy = with_adapter(load_model(ref(tiny_model)))
    tokens = torch.arange(3, 40)[None]
    with torch.inference_mode():
        expected = policy.eval()(input_ids=tokens).logits
        for layer in policy.modules():
            if type(layer) is torch.nn.Linear:
                layer.forward = torch.zeros_like
        found = inference_copy(policy, pack=False)(input_ids=tokens).logits
    assert torch.allclose(found, expected, atol=1e-4)


def test_in_16_bits_an_adapter_stays_apart(tiny_model: Path) -> None:
    policy = with_adapter(load_model(ref(tiny_model).model_copy(update={"dtype": "bfloat16"})))
    tokens = torch.arange(3, 40)[None]
    policy.eval()
    with torch.inference_mode():
        copied = inference_copy(policy, pack=True)(input_ids=tokens).logits
        assert torch.allclose(copied, policy(input_ids=tokens).logits, atol=0.02)
        with policy.disable_adapter():
            assert not torch.allclose(copied, policy(input_ids=tokens).logits, atol=0.2)


@pytest.mark.parametrize("kind", OTHERS)
def test_any_causal_model_works(kind: str, tokenizer: PreTrainedTokenizerBase) -> None:
    model = other(OTHERS[kind], len(tokenizer))
    requests = [Request(prompt, (), 6) for prompt in PROMPTS[-5:]]
    found = complete(TransformersEngine(model, tokenizer, 2), requests)
    assert [each.tokens for each in found] == [
        generated(model, tokenizer, each.prompt, 6) for each in requests
    ]


def test_rows_lie_in_slots_where_the_model_can_do_that(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    models = {kind: other(config, len(tokenizer)) for kind, config in OTHERS.items()}
    assert {kind: works_in_slots(model, tokenizer) for kind, model in models.items()} == {
        "grouped heads": True,
        "window": True,
        "learned positions": True,
        "positions in the mask": False,
        "recurrent": False,
    }
    assert works_in_slots(tiny, tokenizer)
    assert sight(models["window"].config) == 40


def test_each_request_ends_where_it_says(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    (whole,) = complete(TransformersEngine(tiny, tokenizer, 4), [Request("1 + 1?", (), 30)])
    stops = [whole.text[start : start + 3] for start in (0, 5, 11)]
    requests = [Request("1 + 1?", (stop,), 30) for stop in stops] + [Request("1 + 1?", (), 9)]
    found = complete(TransformersEngine(tiny, tokenizer, 4), requests)
    for stop, each in zip(stops, found, strict=False):
        assert (each.text, each.finish_reason) == (whole.text[: whole.text.index(stop)], "stop")
        assert each.tokens == whole.tokens[: each.n_tokens]
        assert stop not in tokenizer.decode(each.tokens[:-1])
    assert (found[3].tokens, found[3].finish_reason) == (whole.tokens[:9], "length")


def test_an_end_of_turn_is_not_counted(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    """The third token that comes is made an end token of the model."""
    (whole,) = complete(TransformersEngine(tiny, tokenizer, 1), [Request("Hello", (), 3)])
    assert len({*whole.tokens}) == 3
    held = tiny.generation_config.eos_token_id
    tiny.generation_config.eos_token_id = [whole.tokens[2]]
    (found,) = complete(TransformersEngine(tiny, tokenizer, 1), [Request("Hello", (), 9)])
    tiny.generation_config.eos_token_id = held
    assert (found.n_tokens, found.finish_reason) == (2, "stop")
    assert found.tokens == whole.tokens


def test_a_sample_does_not_depend_on_what_is_asked_beside_it(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    requests = [
        Request(prompt, (), 12, Sampling(1.0, seed)) for prompt in PROMPTS[:4] for seed in range(3)
    ] + [Request("greedy", (), 12)]
    together = complete(TransformersEngine(tiny, tokenizer, 5), requests)
    alone = [complete(TransformersEngine(tiny, tokenizer, 1), [each])[0] for each in requests]
    assert together == alone
    assert len({each.tokens for each in together}) == 13


def test_prompts_without_room_lose_their_beginning_and_progress_is_told(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    done: list[int] = []
    engine = TransformersEngine(tiny, tokenizer, 2)
    long = Request("word " * 900, (), 8)
    found = engine.complete([long, Request("Hello", (), 3)] * 2, done.append)
    assert len(found[0].tokens) <= 8 and found[0] == found[2]
    assert done == sorted(done) and done[-1] == 4
    with pytest.raises(ValueError, match="512 new tokens leave no room for a prompt"):
        complete(engine, [Request("Hello", (), 512)])


def test_answers_read_together_score_as_if_alone(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    answers = [Answer("Q? ", f"Q? {text}") for text in ("Yes, it is 12.", "No.", "Yes, it")]
    answers += [Answer("Other: ", "Other: 5"), Answer("w " * 900, "w " * 900 + "end")]
    read = conversations(answers, tokenizer, 512)
    together = TransformersEngine(tiny, tokenizer, 2).answer_logprobs(answers)
    alone = logprobs(tiny, read, together=False)
    assert [each.n_tokens for each in together] == [each.n_tokens for each in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.nats == pytest.approx(other.nats, abs=1e-5 * other.n_tokens)


def test_any_number_of_answers_in_any_order_score_as_if_alone(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    # more tokens than are read at once, some that begin alike, one that begins another, two alike
    prompts = [f"System. Question {number}? " for number in range(40)]
    answers = [
        Answer(prompt, f"{prompt}{text}")
        for text in ("Yes, it is 12 apples.", "Yes", "No, " * 9, "Yes")
        for prompt in prompts
    ]
    read = conversations(answers, tokenizer, 512)
    together = logprobs(tiny, read, together=True)
    alone = logprobs(tiny, read, together=False)
    assert [each.n_tokens for each in together] == [each.n_tokens for each in alone]
    apart = [
        abs(one.nats - other.nats) / other.n_tokens
        for one, other in zip(together, alone, strict=True)
    ]
    assert max(apart) < 1e-5


def test_a_packed_copy_keeps_nothing_of_the_model_alive(tiny_model: Path) -> None:
    model = load_model(ref(tiny_model))
    weights = [weakref.ref(weight) for weight in model.parameters()]
    copied = inference_copy(model, pack=True)
    if not any(isinstance(layer, PackedLinear) for layer in copied.modules()):
        pytest.skip("packed layers are no faster on this machine")
    del model
    gc.collect()
    assert [weight() for weight in weights] == [None] * len(weights)


def test_keys_and_values_are_gone_as_soon_as_rows_are_done(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    slots = Slots(tiny, 2)
    slots.finish(rows_of([Request("1 + 1?", (), 4)], tiny, tokenizer, 64), lambda _: None)
    keys = weakref.ref(slots.cache.layers[0].keys)
    gc.disable()
    try:
        del slots
        assert keys() is None
    finally:
        gc.enable()


@pytest.mark.skipif(not can_pack(), reason="this build of torch has no oneDNN")
def test_packed_layers_compute_the_same() -> None:
    torch.manual_seed(0)
    for bias in (True, False):
        linear = torch.nn.Linear(24, 40, bias=bias)
        states = torch.randn(3, 5, 24)
        with torch.inference_mode():
            assert torch.allclose(PackedLinear(linear)(states), linear(states), atol=1e-5)


def test_slots_and_batches_give_the_same_rows(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a rule of the model's own, which neither follows
    monkeypatch.setattr(tiny.generation_config, "repetition_penalty", 5.0)
    requests = [
        Request(prompt, ("on", "er 1"), 10, Sampling(0.8, seed) if seed % 2 else None)
        for seed, prompt in enumerate(PROMPTS)
    ]
    in_slots, in_batches = (rows_of(requests, tiny, tokenizer, 512) for _ in range(2))
    Slots(tiny, 4).finish(in_slots, lambda _: None)
    plain.finish(tiny, tokenizer, in_batches, 4, lambda _: None)
    assert [row.completion for row in in_slots] == [row.completion for row in in_batches]


def test_a_stop_string_is_seen_at_the_token_that_completes_it(
    tiny: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    ends = ending(Request("", ("Question:", "<|im_end|>"), 500), tiny, tokenizer)
    text = "So it is 12 pens, costs 3 — and\n\nQuestion: What"
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    done = [ends.is_reached(tokens[: n + 1]) for n in range(len(tokens))]
    so_far = tokenizer.decode(tokens[: done.index(True)])
    assert "Question" in so_far and "Question:" not in so_far
    assert ends.completion(tokens[: done.index(True) + 1]).text == text[: text.index("Question")]
    assert ends.is_reached([5, tokenizer.convert_tokens_to_ids("<|im_end|>")])


@pytest.mark.real
def test_real_weights_say_what_generate_says_but_for_ties() -> None:
    """64 problems; a row may differ where two tokens are as likely as one another, to rounding."""
    model = load_model(ModelRef(path=bundled.NAME, dtype="float32", device="cpu"))
    tokenizer = load_tokenizer(bundled.NAME, None, None)
    requests = [
        Request(_asked(tokenizer, problem.question), ("Question:", "</s>", "<|im_end|>"), 80)
        for problem in problems("train", 64)
    ]
    expected = rows_of(requests, model, tokenizer, 8192)
    plain.finish(model, tokenizer, expected, 32, lambda _: None)
    found = complete(TransformersEngine(model, tokenizer, 24), requests)
    differ = [
        (row, each)
        for row, each in zip(expected, found, strict=True)
        if row.completion.tokens != each.tokens
    ]
    assert len(differ) <= 2
    for row, each in differ:
        pairs = enumerate(zip(row.tokens, each.tokens, strict=False))
        first, tokens = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
        with torch.inference_mode():
            before = torch.tensor([[*row.prompt, *row.tokens[:first]]])
            logits = model(before, logits_to_keep=1).logits[0, -1]
        assert abs(float(logits[tokens[0]] - logits[tokens[1]])) < 1e-3


def _asked(tokenizer: PreTrainedTokenizerBase, question: str) -> str:
    turns = [{"role": "user", "content": prompt_text(question)}]
    return str(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
