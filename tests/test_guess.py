from pathlib import Path

from stagelift.evals.models.model import ModelRef
from stagelift.harness.forecast import guess
from stagelift.harness.forecast.guess import Asking, ModelSize, Training, model_size

SMALL = ModelSize(
    parameters=134_515_008,
    bytes_a_weight=4,
    width=576,
    layers=30,
    vocabulary=49_152,
    cache=384,
    bytes_a_number=4,
)
SFT = Training(steps=40, sequences=4, step_sequences=8, tokens=105, generated=0, operations=4)
QUESTIONS = Asking(responses=192, batch=64, tokens=60, generated=96)


def test_a_models_size_is_read_without_its_weights(tiny_model: Path) -> None:
    size = model_size(ModelRef(path=str(tiny_model), dtype="float32", device="cpu"))
    assert (size.width, size.layers, size.cache, size.bytes_a_number) == (32, 2, 64, 4)
    embeddings, layer = 2 * size.vocabulary * 32, 4 * 32 * 32 + 3 * 32 * 64 + 2 * 32
    assert size.parameters == embeddings + 2 * layer + 32


def test_twice_the_steps_or_parameters_take_twice_as_long_after_the_start() -> None:
    start = guess.training_seconds(SMALL, Training(0, 4, 8, 105, 0, 4), "cpu")
    once = guess.training_seconds(SMALL, SFT, "cpu") - start
    twice = guess.training_seconds(SMALL, Training(80, 4, 8, 105, 0, 4), "cpu") - start
    assert abs(twice - 2 * once) < 1e-6 * once
    assert guess.training_seconds(SMALL, SFT, "cuda") < guess.training_seconds(SMALL, SFT, "cpu")


def test_generating_costs_time_and_the_limit_counts() -> None:
    grpo = Training(steps=6, sequences=4, step_sequences=16, tokens=140, generated=96, operations=4)
    alike = Training(steps=6, sequences=4, step_sequences=16, tokens=140, generated=0, operations=4)
    assert guess.training_seconds(SMALL, grpo, "cpu") > guess.training_seconds(SMALL, alike, "cpu")
    short = Asking(responses=192, batch=64, tokens=60, generated=48)
    assert guess.evaluation_seconds(SMALL, QUESTIONS, "cpu") > guess.evaluation_seconds(
        SMALL, short, "cpu"
    )


def test_memory_holds_the_weights_and_grows_with_what_is_done_at_once() -> None:
    weights = SMALL.parameters * SMALL.bytes_a_number
    assert guess.evaluation_bytes(SMALL, QUESTIONS, "cpu") > weights
    more = Training(steps=40, sequences=8, step_sequences=8, tokens=105, generated=0, operations=4)
    assert (
        guess.training_bytes(SMALL, more, "cpu") > guess.training_bytes(SMALL, SFT, "cpu") > weights
    )


def test_the_guess_for_the_quickstarts_sft_is_within_what_it_says_of_what_was_measured() -> None:
    assert 1 / guess.TIMES_OFF < guess.training_bytes(SMALL, SFT, "cpu") / 3.4e9 < guess.TIMES_OFF
