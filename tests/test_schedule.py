"""Tasks that need one another: order, side by side, failure and interruption, with real threads."""

import threading

import pytest

from stagelift.harness.schedule import Task, work_through


def run(tasks: list[Task], at_once: int = 2) -> list[str]:
    done: list[str] = []
    work_through(tasks, at_once, lambda task: done.append(task.name), lambda: None)
    return done


def nothing() -> None:
    return


def test_one_at_a_time_keeps_the_listed_order_as_far_as_needs_allow() -> None:
    tasks = [
        Task("c", ("b",), nothing),
        Task("a", (), nothing),
        Task("b", ("a",), nothing),
        Task("d", (), nothing),
    ]
    assert run(tasks, 1) == ["a", "b", "c", "d"]


def test_what_is_not_listed_is_there_already() -> None:
    assert run([Task("b", ("long done",), nothing)]) == ["b"]


def test_tasks_that_do_not_need_one_another_run_side_by_side() -> None:
    # passes only when two are there at once
    both = threading.Barrier(2, timeout=10)

    def meet() -> None:
        both.wait()

    assert sorted(run([Task("a", (), meet), Task("b", (), meet)])) == ["a", "b"]


def test_as_many_as_asked_run_at_once_and_never_more() -> None:
    # passes only when three are there at once; a fourth has a moment to come
    three, fourth = threading.Barrier(3, timeout=10), threading.Event()
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if most > 3:
            fourth.set()
        three.wait()
        fourth.wait(0.02)
        with lock:
            running -= 1

    assert len(run([Task(str(i), (), work) for i in range(9)], 3)) == 9
    assert most == 3


def test_a_failure_leaves_out_what_needs_it_and_the_rest_goes_on() -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("broken")

    tasks = [
        Task("fail", (), fail),
        Task("needs it", ("fail",), lambda: done.append("needs it")),
        Task("needs that", ("needs it",), lambda: done.append("needs that")),
        Task("other", (), lambda: done.append("other")),
    ]
    with pytest.raises(ValueError, match="broken"):
        run(tasks)
    assert done == ["other"]


def test_all_failures_are_said() -> None:
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken\nbroken"):
        run([Task("one", (), fail), Task("two", (), fail)], 1)


def test_an_interruption_stops_what_is_running() -> None:
    stopped = threading.Event()

    def interrupt(_: Task) -> None:
        raise KeyboardInterrupt

    tasks = [Task("quick", (), nothing), Task("endless", (), lambda: assert_stopped(stopped))]
    with pytest.raises(KeyboardInterrupt):
        work_through(tasks, 2, interrupt, stopped.set)


def assert_stopped(stopped: threading.Event) -> None:
    assert stopped.wait(10)
