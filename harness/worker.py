"""One job in a process of its own: `python -m stagelift.harness.worker`."""

from stagelift.harness.workers.worker import main

if __name__ == "__main__":
    main()
