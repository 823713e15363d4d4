"""The command of a launcher, in a process that ends as soon as the worker that started it is gone.

By itself torchrun would wait for other machines for minutes more, and keep their meeting point.
"""

import runpy
import sys
import threading

from stagelift.harness.workers.events import end_with_standard_input


def main() -> None:
    """Run the module that is named first, with the arguments after it."""
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
