"""How the threads of a worker wait for one another.

torch's threads spin while they wait, which keeps a core from whoever else has work: two workers on
two cores took many times as long as one after the other. A thousand turns (GOMP_SPINCOUNT) cost
nothing alone, and then the core is free. OMP_WAIT_POLICY=PASSIVE, which never spins, costs 30%.
"""

import os
from collections.abc import Mapping

_TURNS = "1000"
# what a user says of it counts
_SAID = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def waiting_threads(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what to add to the environment of a process, before it loads torch."""
    if any(name in environment for name in _SAID):
        return {}
    return {"GOMP_SPINCOUNT": _TURNS}
