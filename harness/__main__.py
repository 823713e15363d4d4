"""`python -m harness` is the `stagelift` command."""

from stagelift.harness.cli import main

main()
