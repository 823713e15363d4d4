"""The kinds of stages that recipes may list. A new one is a file with its record, and its name
here.
"""

from difflib import get_close_matches

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
    near = get_close_matches(str(name).lower(), [kind.name for kind in KINDS], n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise ValueError(f"Unknown stage '{name}'. Known stages: {known}.{hint}")
