"""Do tasks that need one another, several at a time.

They are done in the order in which they are listed, each as soon as what it needs is done.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """Something to do after the tasks it `needs`, by name."""

    name: str
    needs: tuple[str, ...]
    do: Callable[[], None]


def work_through(
    tasks: Sequence[Task], at_once: int, on_done: Callable[[Task], None], stop: Callable[[], None]
) -> None:
    """Do all tasks, up to `at_once` side by side; `on_done` is called in this thread.

    A failure leaves out what needs the failed task; the rest goes on. In the end it is raised,
    several of one kind as one. An interruption calls `stop`, which must end what is running.
    """
    waiting, running = list(tasks), dict[Future[None], Task]()
    # what is not listed is there already
    needed = {task.name for task in tasks}
    failures: list[BaseException] = []
    pool = ThreadPoolExecutor(at_once)
    try:
        while True:
            for task in _ready(waiting, needed, at_once - len(running)):
                waiting.remove(task)
                running[pool.submit(task.do)] = task
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task, failure = running.pop(future), future.exception()
                if failure is None:
                    needed.discard(task.name)
                    on_done(task)
                else:
                    failures.append(failure)
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown()
    if failures:
        raise _joined(failures)


def _joined(failures: Sequence[BaseException]) -> BaseException:
    """Return failures of one kind as one that says all of them."""
    first, *rest = failures
    if not rest or any(type(failure) is not type(first) for failure in rest):
        return first
    return type(first)("\n".join(map(str, failures)))


def _ready(waiting: Sequence[Task], unfinished: set[str], count: int) -> list[Task]:
    return [task for task in waiting if not unfinished.intersection(task.needs)][:count]
