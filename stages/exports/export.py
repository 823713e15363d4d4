"""What a stage's model can be exported as: merged into one model, or that as a GGUF file.

`stagelift export` is something else: it writes results in the layouts of other tools.
"""

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from stagelift.evals.models.model import Dtype
from stagelift.evals.records import Record

MERGED, GGUF = "merged", "gguf"
# how many bits a weight takes, by the type of a GGUF file: what llama.cpp says of Llama 3 8B. Small
# models have more: their embeddings, and layers that are no multiple of 256 wide, keep more bits
GGUF_BITS = {
    "f32": 32.0,
    "f16": 16.0,
    "bf16": 16.0,
    "q8_0": 8.5,
    "q6_k": 6.6,
    "q5_k_m": 5.7,
    "q5_k_s": 5.6,
    "q5_1": 6.0,
    "q5_0": 5.6,
    "q4_k_m": 4.9,
    "q4_k_s": 4.7,
    "q4_1": 5.1,
    "q4_0": 4.7,
    "q3_k_l": 4.3,
    "q3_k_m": 4.0,
    "q3_k_s": 3.7,
    "q2_k": 3.2,
}
# what llama.cpp's converter writes by itself; all others need its quantiser
CONVERTED = ("f32", "f16", "bf16", "q8_0")
_DEFAULTS = {MERGED: "auto", GGUF: "q8_0"}


class ExportedAs(Record):
    """What an export is: the `dtype` that merged weights are stored in, and the type of the GGUF
    file that is made of these; None where they are all.
    """

    dtype: Dtype
    gguf: str | None = None

    @property
    def bits(self) -> float:
        """How many bits a weight takes on disk."""
        if self.gguf is not None:
            return GGUF_BITS[self.gguf]
        return 32.0 if self.dtype == "float32" else 16.0

    @property
    def words(self) -> str:
        """Say how it comes about."""
        merged = f"merged in float32, stored in {self.dtype}"
        return merged if self.gguf is None else f"{merged}, made a GGUF file of type {self.gguf}"


class Export(Record):
    """An export as a recipe asks for it: `merged`, `gguf`, or one of them with its type, such as
    `{merged: float16}` or `{gguf: q4_k_m}`.

    `auto` is the dtype of the run where that has 16 bits, else bfloat16.
    """

    merged: Dtype | Literal["auto"] | None = Field(
        default=None, exclude_if=lambda dtype: dtype is None
    )
    gguf: str | None = Field(default=None, exclude_if=lambda kind: kind is None)

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, written: Any) -> Any:
        """Turn `gguf` into `{gguf: q8_0}`, and refuse what is neither."""
        if isinstance(written, str) and written in _DEFAULTS:
            return {written: _DEFAULTS[written]}
        if isinstance(written, dict) and len(written) == 1 and {*written} <= {*_DEFAULTS}:
            ((form, kind),) = written.items()
            return {form: _known(form, kind)}
        raise ValueError(
            f"export names {written!r:.60}. An export is one of: merged, gguf, {{merged: DTYPE}}, "
            "{gguf: TYPE}, such as: export: [merged, {gguf: q4_k_m}]."
        )

    @property
    def title(self) -> str:
        """What the export is called beside its stage."""
        if self.gguf is not None:
            return f"{GGUF}-{self.gguf}"
        return MERGED if self.merged == "auto" else f"{MERGED}-{self.merged}"

    def of(self, dtype: Dtype) -> ExportedAs:
        """Say what it is in a run that computes in a dtype."""
        if self.merged is not None and self.merged != "auto":
            return ExportedAs(dtype=self.merged)
        in_16_bits: Dtype = "bfloat16" if dtype == "float32" else dtype
        return ExportedAs(dtype=in_16_bits, gguf=self.gguf)


def gguf_file(kind: str) -> str:
    """Name a GGUF file by its type, as others do."""
    return f"model-{kind}.gguf"


def _known(form: str, kind: Any) -> str:
    """Return a type as it is written here. Raises ValueError where there is none such."""
    known = list(GGUF_BITS) if form == GGUF else ["auto", *get_args(Dtype)]
    lowered = str(_DEFAULTS[form] if kind is None else kind).lower()
    if lowered not in known:
        raise ValueError(
            f"export names {form}: {kind!r:.40}, which is no type of it. Known: {', '.join(known)}."
        )
    return lowered
