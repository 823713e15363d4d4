"""A launcher's command in a process that ends with the worker: `python -m
stagelift.harness.agent`.
"""

from stagelift.harness.workers.agent import main

if __name__ == "__main__":
    main()
