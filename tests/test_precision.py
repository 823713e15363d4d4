import pytest

from stagelift.evals.models.cpu import LinearSpeed, Machine
from stagelift.stages import precision


def speed(float32: float, packed: float | None, bfloat16: float) -> LinearSpeed:
    return LinearSpeed(
        machine=Machine(cpu="a CPU", torch="2.13.0", threads=2),
        float32=float32,
        float32_packed=packed,
        bfloat16=bfloat16,
        bfloat16_packed=None,
    )


def test_a_dtype_that_is_asked_for_is_taken() -> None:
    assert precision.dtype("float16") == "float16"


def test_auto_is_a_dtype_this_machine_multiplies_in() -> None:
    allowed = {"cpu": {"float32", "bfloat16"}, "cuda": {"bfloat16", "float16"}}
    assert precision.dtype("auto") in allowed[precision.device()]


@pytest.mark.parametrize(
    ("float32", "packed", "bfloat16", "expected"),
    [
        # AVX-512 without products in bfloat16
        (270.0, None, 150.0, "float32"),
        # EPYC with avx512_bf16
        (139.0, 187.0, 352.0, "bfloat16"),
        # faster than torch's own float32, but not clearly than the packed one
        (139.0, 187.0, 270.0, "float32"),
        (100.0, None, 150.0, "bfloat16"),
        (100.0, None, 149.0, "float32"),
    ],
)
def test_a_cpu_takes_bfloat16_where_it_is_clearly_faster(
    float32: float, packed: float | None, bfloat16: float, expected: str
) -> None:
    assert precision.dtype_of_cpu(speed(float32, packed, bfloat16)) == expected


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
