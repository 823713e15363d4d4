"""What training leaves behind: the record of one trained stage. No torch here, reports read it."""

from pydantic import JsonValue

from evals.records import Record


class StageResult(Record):
    """What one stage cost and how it went.

    Where training was killed and resumed, `seconds` counts steps that were done twice once. `peak_memory_of` says which
    memory: the GPU's allocated peak, or the process's resident peak on CPU; of several `processes` it is the main one's.
    `history` has one row per log step, with TRL's own names (`loss`, `reward`, `kl`, ...).
    """

    kind: str
    steps: int
    tokens: int
    seconds: float
    peak_memory_bytes: int
    peak_memory_of: str
    trainable_parameters: int
    processes: int = 1
    device: str
    dtype: str
    versions: dict[str, str]
    history: list[dict[str, JsonValue]]
