"""One of a launcher's processes: `python -m stagelift.harness.launched`."""

from stagelift.harness.workers.launched import main

if __name__ == "__main__":
    main()
