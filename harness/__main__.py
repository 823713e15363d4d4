"""`python -m stagelift.harness` is the `stagelift` command."""

from stagelift.__main__ import main

if __name__ == "__main__":
    main()
