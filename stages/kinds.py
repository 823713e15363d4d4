"""The kinds of stages that recipes may list. A new one is a file with its record, and its name
here.
"""

from stagelift.evals.nearest import did_you_mean
from stagelift.stages.dpo import DPO
from stagelift.stages.grpo import GRPO
from stagelift.stages.kind import Kind
from stagelift.stages.kto import KTO
from stagelift.stages.rloo import RLOO
from stagelift.stages.sft import SFT

KINDS = (SFT, DPO, GRPO, KTO, RLOO)


def kind_named(name: str) -> Kind:
    """Return the kind of this name. Raises ValueError, naming those there are."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    known = ", ".join(kind.name for kind in KINDS)
    hint = did_you_mean(name, [kind.name for kind in KINDS])
    raise ValueError(f"Unknown stage '{name}'. Known stages: {known}.{hint}")
