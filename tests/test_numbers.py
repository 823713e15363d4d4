"""The bounds of numbers, in sentences."""

import pytest

from stagelift.stages.numbers import LORA, TRAINING, Bounds, check_numbers
from stagelift.stages.words import check_words


def test_bounds_are_said_as_one_reads_them() -> None:
    assert Bounds(0, 1, above=True).said() == "above 0 and at most 1"
    assert Bounds(0, 1, below=True).said() == "at least 0 and below 1"
    assert Bounds(0, 2**32 - 1).said() == "at least 0 and at most 4294967295"
    assert Bounds(2).said() == "at least 2"


def test_the_ends_of_bounds_belong_to_them_or_not() -> None:
    assert Bounds(0, 1).hold(0) and Bounds(0, 1).hold(1) and not Bounds(0, 1).hold(1.5)
    assert not Bounds(0, 1, above=True).hold(0) and not Bounds(0, 1, below=True).hold(1)
    # TRL's own word for: by epochs
    assert TRAINING["max_steps"].hold(-1) and not TRAINING["max_steps"].hold(-2)


@pytest.mark.parametrize(
    ("lora", "says"),
    [
        ({"r": 0}, "lora.r is 0, and must be at least 1. 8 to 64 is usual."),
        ({"lora_alpha": 0}, "lora.lora_alpha is 0, and must be above 0."),
        ({"lora_alpha": float("nan")}, "lora.lora_alpha is nan, and must be a finite number."),
        ({"lora_dropout": 1.5}, "lora.lora_dropout is 1.5, and must be at least 0 and below 1."),
        ({"alpha_pattern": {"q_proj": float("inf")}}, "must be a finite number."),
    ],
)
def test_an_adapter_that_cannot_learn_is_refused(lora: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=r"lora\.") as refused:
        check_numbers(lora, LORA, "lora.")
    assert says in str(refused.value)


def test_what_is_no_number_and_what_has_no_bounds_is_left_to_others() -> None:
    check_numbers({"r": "8", "target_modules": ["q_proj"], "layers": -3}, LORA, "lora.")


def test_a_word_of_another_argument_is_no_word_of_this_one() -> None:
    from trl import GRPOConfig

    config = GRPOConfig(output_dir="unused", use_cpu=True, bf16=False, loss_type="sequence")
    with pytest.raises(ValueError, match="loss_type is 'sequence', which TRL does not know"):
        check_words(config, ["loss_type"])
    # what was not given is TRL's own
    check_words(config, ["scale_rewards"])
