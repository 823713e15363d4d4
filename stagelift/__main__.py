"""`python -m stagelift` is the `stagelift` command."""

from stagelift.harness.cli import main

if __name__ == "__main__":
    main()
