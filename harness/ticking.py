"""Something that is done every so often while something else goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def every(seconds: float, do: Callable[[], None]) -> Iterator[None]:
    """Call a function again and again, in a thread of its own, until this is left."""
    over = threading.Event()

    def tick() -> None:
        # a reader that has enough ends nothing here
        with suppress(OSError, ValueError):
            while not over.wait(seconds):
                do()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
