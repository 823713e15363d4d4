import pytest

from stagelift.stages import precision


def test_a_dtype_that_is_asked_for_is_taken() -> None:
    assert precision.dtype("float16") == "float16"


def test_auto_is_a_dtype_this_machine_multiplies_in() -> None:
    allowed = {"cpu": {"float32", "bfloat16"}, "cuda": {"bfloat16", "float16"}}
    assert precision.dtype("auto") in allowed[precision.device()]


def test_cpu_trains_without_mixed_precision() -> None:
    flags = precision.training_flags("cpu", "float32")
    assert flags == {
        "use_cpu": True,
        "bf16": False,
        "fp16": False,
        "activation_checkpointing": False,
    }


@pytest.mark.parametrize(
    ("dtype", "bf16", "fp16"), [("bfloat16", True, False), ("float16", False, True)]
)
def test_a_gpu_trains_in_its_dtype(dtype: str, bf16: bool, fp16: bool) -> None:
    flags = precision.training_flags("cuda", dtype)
    assert (flags["bf16"], flags["fp16"]) == (bf16, fp16)
