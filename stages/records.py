"""What training leaves behind: the record of one trained stage, and of the checkpoint that was
selected. No torch here, reports read it.
"""

from pydantic import JsonValue

from stagelift.evals.models.model import Dtype
from stagelift.evals.records import Metric, Record


class StageResult(Record):
    """What one stage cost and how it went.

    `processes` trained it together; memory is that of the first. Where training was killed and
    resumed, `seconds` counts steps that were done twice once. `peak_memory_of` says which memory:
    the GPU's allocated peak, or the process's resident peak on CPU. `as_trl` says what did not
    run in the faster way of ours, and why. `history` has one row per log step, with TRL's own names
    (`loss`, `reward`, `kl`, ...).
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


class FixedLogits(Record):
    """What a model of this dtype says to fixed tokens: logits, as many as tell it from others."""

    dtype: Dtype
    tokens: list[int]
    values: list[float]


class LogRow(Record):
    """One logged step, with all that training took up to it."""

    step: int
    seconds: float
    tokens: int
    peak_memory_bytes: int
    logs: dict[str, JsonValue]


class Measured(Record):
    """Checkpoints of one training, by step, that were all asked the same validation problems.

    It says where their evaluations lie, and base's, relative to the runs folder. `left_out` says
    why folders are not among them.
    """

    metric: str
    base: str
    checkpoints: dict[int, str]
    left_out: dict[str, str] = {}


class Selection(Measured):
    """Which checkpoint a stage is: the one of step `selected`, of the values in `curve`.

    `alike` are the steps that cannot be told from it.
    """

    selected: int
    why: str
    curve: dict[int, Metric]
    alike: list[int]
