"""vLLM for real, from an environment of its own that STAGELIFT_VLLM_PYTHON names.

export STAGELIFT_VLLM_PYTHON=VLLM/bin/python
pytest tests/test_vllm.py
"""

from pathlib import Path

import pytest

from stagelift.evals.models.engines.choice import engine_contract, open_engine
from stagelift.evals.models.engines.engine import Answer, Request, Sampling
from stagelift.evals.models.engines.settings import TransformersSettings, VllmSettings
from stagelift.evals.models.engines.vllm import vllm_version
from stagelift.evals.models.model import ModelRef, load_tokenizer

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(vllm_version() is None, reason="no vLLM: set STAGELIFT_VLLM_PYTHON"),
]
PROMPT = "<|im_start|>user\nTom has {} apples.<|im_end|>\n<|im_start|>assistant\n"


def test_base_and_adapter_are_answered_by_vllm_as_by_transformers(
    tiny_model: Path, finished_run: Path
) -> None:
    (adapter,) = finished_run.parent.glob("nodes/sft-*/adapter")
    tokenizer = load_tokenizer(str(tiny_model), None, None)
    requests = [Request(PROMPT.format(n), ("a",), 12) for n in range(4)]
    requests += [Request(PROMPT.format(3), (), 8, Sampling(1.0, 7)) for _ in range(2)]
    answers = [Answer(PROMPT.format(3), f"{PROMPT.format(3)}He has 3.<|im_end|>\n")]
    for folder in (None, str(adapter)):
        ref = ModelRef(path=str(tiny_model), dtype="float32", device="cpu", adapter=folder)
        with open_engine(VllmSettings(), ref, tokenizer, 4) as opened:
            assert opened.engine.identity == engine_contract(VllmSettings(), ref)["engine"]
            theirs = opened.engine.complete(requests, lambda _: None)
            their_nats = opened.engine.answer_logprobs(answers)
        with open_engine(TransformersSettings(), ref, tokenizer, 4) as opened:
            ours = opened.engine.complete(requests, lambda _: None)
            our_nats = opened.engine.answer_logprobs(answers)
        assert theirs[:4] == ours[:4]
        assert theirs[4] == theirs[5]
        assert their_nats is not None and our_nats is not None
        assert their_nats[0].nats == pytest.approx(our_nats[0].nats, abs=1e-3)


def test_options_that_vllm_refuses_are_a_sentence(tiny_model: Path) -> None:
    ref = ModelRef(path=str(tiny_model), dtype="float32", device="cpu")
    tokenizer = load_tokenizer(str(tiny_model), None, None)
    settings = VllmSettings(args={"max_model_len": 1_000_000})
    with (
        pytest.raises(ConnectionError, match=r"vLLM ended with exit code 1 .*max_model_len"),
        open_engine(settings, ref, tokenizer, 4),
    ):
        pass
