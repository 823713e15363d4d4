"""TRL's trainers that learn from completions of their own, with what is faster put before them."""

from typing import Any

from trl import GRPOTrainer, RLOOTrainer

from stagelift.stages.faster import untested_version
from stagelift.stages.signal import SignalOnly


class _Grpo(SignalOnly, GRPOTrainer):  # type: ignore[misc]  # TRL is untyped for mypy here
    pass


class _Rloo(SignalOnly, RLOOTrainer):  # type: ignore[misc]  # TRL is untyped for mypy here
    pass


def grpo_trainer(**arguments: Any) -> Any:
    """Build a GRPOTrainer; it is TRL's own where TRL is in another version than the tested."""
    return (_Grpo if untested_version() is None else GRPOTrainer)(**arguments)


def rloo_trainer(**arguments: Any) -> Any:
    """Build an RLOOTrainer in the same way."""
    return (_Rloo if untested_version() is None else RLOOTrainer)(**arguments)
