"""What is better known before a run is paid for, in sentences. Nothing here stops a run."""

from dataclasses import dataclass
from typing import Literal

from stagelift.evals.models.model import Device, Dtype


@dataclass(frozen=True)
class Advice:
    """A sentence about one thing, by its name in JSON."""

    about: Literal[
        "precision",
        "groups",
        "overlap",
        "checkpoints",
        "answers",
        "rows",
        "scale",
        "validation",
    ]
    level: Literal["warning", "note"]
    text: str


def precision_advice(dtype: Dtype, on: Device, *, native: bool) -> list[Advice]:
    """Warn of bfloat16 where the GPU does not multiply in it itself."""
    if dtype != "bfloat16" or on != "cuda" or native:
        return []
    text = (
        "model.dtype is bfloat16, which this GPU only emulates, slowly. Use float16, or leave it "
        "to model.dtype=auto."
    )
    return [Advice("precision", "warning", text)]
