"""`python -m stagelift` is the `stagelift` command."""

import sys
from pathlib import Path

# Python puts the working folder first: a `typer.py` there is not the one that is meant. A checkout
# that runs where it lies is found there, though.
if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
    del sys.path[0]

from stagelift.harness import cli

if __name__ == "__main__":
    cli.main()
