"""`python -m stagelift.harness` is the `stagelift` command."""

import stagelift.__main__  # noqa: F401 - leaves the working folder out of the path
from stagelift.harness import cli

if __name__ == "__main__":
    cli.main()
