"""The `stagelift` command, also as `python -m stagelift`."""

import sys
from pathlib import Path

# Python puts the working folder first: a `typer.py` there is not the one that is meant. A checkout
# that runs where it lies is found there, though.
if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
    del sys.path[0]


def main() -> None:
    """Run the command, or say that a package which it needs is missing."""
    try:
        from stagelift.harness import cli
    except ImportError as error:
        from stagelift.evals.printed import one_line
        from stagelift.harness.commands.faults import told

        sys.stderr.write(one_line(told(error)) + "\n")
        # FAULT of endings.py, which needs these packages itself
        raise SystemExit(70) from None
    cli.main()


if __name__ == "__main__":
    main()
