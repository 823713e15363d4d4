"""Where processes that we start find our package, installed or not."""

import os
import sys
from pathlib import Path


def python_path() -> str:
    """Return a worker's PYTHONPATH: ours, and the checkout before it where that is what runs here.

    A worker looks for nothing in the working folder (`-P`), so a checkout that was found there is
    named. An installed package needs no help, and then a project's own `evals/` stays its own.
    """
    # an empty entry is the working folder
    entries = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    inherited = os.pathsep.join(entries)
    # where `harness/` lies, through the link that leads to it
    checkout = Path(__file__).resolve().parents[2]
    if sys.flags.safe_path or Path(sys.path[0]).resolve() != checkout:
        return inherited
    return os.pathsep.join(filter(None, [str(checkout), inherited]))
