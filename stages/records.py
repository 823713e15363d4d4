"""What training leaves behind: the record of one trained stage, and of the checkpoint that was
selected. No torch here, reports read it.
"""

from typing import Any

from pydantic import Field, JsonValue

from stagelift.evals.models.model import Dtype
from stagelift.evals.records import Hashed, Metric, Record, SmallerBatch
from stagelift.stages.health.finding import Finding, Stop


def _is_unused(value: Any) -> bool:
    """Say whether a field that came into records later holds nothing; then it is not written."""
    return not value


# the kind of a node that is an export
EXPORT = "export"


class StageResult(Hashed):
    """What one stage cost and how it went.

    `processes` trained it together; memory is that of the first. Where training was killed and
    resumed, `seconds` counts steps that were done twice once. `peak_memory_of` says which memory:
    the GPU's allocated peak, or the process's resident peak on CPU. `as_trl` says what did not
    run in the faster way of ours, and why. `history` has one row per log step, with TRL's own names
    (`loss`, `reward`, `kl`, ...), None where a number was not finite. `signs` are those of
    illness that were found in it while it ran; `stopped` says where training was ended for one.
    `smaller_batch` says that memory did not hold as many rows at once as were asked for.
    """

    kind: str
    steps: int
    tokens: int
    seconds: float
    peak_memory_bytes: int
    peak_memory_of: str
    trainable_parameters: int
    device: str
    dtype: str
    versions: dict[str, str]
    processes: int = 1
    as_trl: list[str] = []
    history: list[dict[str, JsonValue]]
    signs: list[Finding] = Field(default=[], exclude_if=_is_unused)
    stopped: Stop | None = Field(default=None, exclude_if=_is_unused)
    smaller_batch: SmallerBatch | None = Field(default=None, exclude_if=_is_unused)


class FixedLogits(Record):
    """What a model of this dtype says to fixed tokens: logits, as many as tell it from others."""

    dtype: Dtype
    tokens: list[int]
    values: list[float]


class LogRow(Record):
    """One logged step, with all that training took up to it. A number that is not finite is None
    in `logs`.
    """

    step: int
    seconds: float
    tokens: int
    peak_memory_bytes: int
    logs: dict[str, JsonValue]


class ExportResult(Hashed):
    """What an export became: merged weights stored in `dtype`, or a GGUF file of them.

    `bytes` lie in its folder; memory is the process's resident peak. `converter` names the script
    of llama.cpp that was at work.
    """

    dtype: str
    gguf: str | None
    bytes: int
    seconds: float
    peak_memory_bytes: int
    converter: str | None
    versions: dict[str, str]


class Measured(Record):
    """Checkpoints of one training, by step, that were all asked the same validation problems.

    It says where their evaluations lie, and base's, relative to the runs folder. `left_out` says
    why folders are not among them.
    """

    metric: str
    base: str
    checkpoints: dict[int, str]
    left_out: dict[str, str] = {}


class Selection(Hashed, Measured):
    """Which checkpoint a stage is: the one of step `selected`, of the values in `curve`.

    `alike` are the steps that cannot be told from it.
    """

    selected: int
    why: str
    curve: dict[int, Metric]
    alike: list[int]
