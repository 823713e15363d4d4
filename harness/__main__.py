"""`python -m harness` is the `stagelift` command."""

from harness.cli import main

main()
