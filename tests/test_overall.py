"""How far a run is: what is left follows what was done, and grows where nothing is."""

import threading

import pytest

from stagelift.harness.overall import (
    Ended,
    Overall,
    Pace,
    Running,
    about,
    counted,
    seconds_left,
    slowness,
)
from stagelift.harness.ticking import every


def test_what_is_left_is_the_forecast_before_anything_is_done() -> None:
    assert seconds_left([60.0, 40.0], [], []) == 100.0
    assert seconds_left([60.0, None], [], []) is None
    assert seconds_left([], [], []) == 0.0


def test_jobs_that_took_twice_as_long_make_the_rest_twice_as_long() -> None:
    assert seconds_left([30.0], [], [Ended(20.0, 40.0)]) == 60.0
    # of what was not forecast nothing follows
    assert slowness([], [Ended(None, 40.0)]) == 1.0


def test_a_busy_machine_slows_what_waits_while_the_first_job_still_runs() -> None:
    running = Running(forecast=100.0, elapsed=100.0, share=0.5, own=100.0)
    assert seconds_left([100.0], [running], []) == 300.0


def test_the_first_seconds_of_a_slow_step_change_nothing_but_a_late_job_does() -> None:
    first = Running(forecast=100.0, elapsed=30.0, share=0.02, own=1500.0)
    assert seconds_left([100.0] * 9, [first], []) == 970.0
    late = Running(forecast=100.0, elapsed=150.0, share=0.1, own=1350.0)
    assert seconds_left([100.0], [late], []) == 1350.0 + 1500.0


def test_side_by_side_takes_the_share_of_each_but_never_less_than_the_longest() -> None:
    assert seconds_left([30.0] * 4, [], [], at_once=2) == 60.0
    assert seconds_left([100.0, 10.0], [], [], at_once=2) == 100.0


@pytest.mark.parametrize("forecast", [50.0, None])
def test_a_job_that_stands_still_has_ever_more_left(forecast: float | None) -> None:
    pace = Pace(began=0.0, first=0, last=40.0, done=4, total=5)
    left = [
        seconds_left([], [Running(forecast, now, pace.share, pace.seconds_left(now))], [])
        for now in (60.0, 120.0, 600.0, 6000.0)
    ]
    known = [each for each in left if each is not None]
    assert len(known) == 4 and known == sorted(known) and known[0] > 0
    assert known[-1] > 1000


def test_a_job_without_a_pace_is_never_done_by_its_forecast_alone() -> None:
    late = [seconds_left([], [Running(10.0, elapsed)], []) for elapsed in (20.0, 200.0)]
    assert late == [2.0, 20.0]


def test_a_steady_pace_counts_down() -> None:
    pace = counted(None, (0, 10), 0.0)
    assert pace.seconds_left(5.0) is None
    pace = counted(pace, (5, 10), 50.0)
    assert pace.seconds_left(50.0) == 50.0
    assert pace.seconds_left(54.0) == 46.0
    assert counted(pace, (10, 10), 100.0).seconds_left(101.0) == 0.0
    # what was resumed elsewhere begins anew
    assert counted(pace, (2, 10), 60.0) == Pace(60.0, 2, 60.0, 2, 10)


def test_a_run_says_how_many_jobs_are_done_and_what_is_left() -> None:
    now = [0.0]
    run = Overall({"train": 100.0, "evaluate": 50.0}, clock=lambda: now[0])
    assert run.words() == "0 of 2 jobs done, about 2 min left in all"
    run.begin("train", "sft")
    run.see("sft", {"event": "training", "step": 0, "steps": 10})
    now[0] = 20.0
    run.see("sft", {"event": "training", "step": 1, "steps": 10})
    # one step of ten says nothing yet: what was forecast
    assert run.words() == "0 of 2 jobs done, about 2 min left in all"
    now[0] = 40.0
    run.see("sft", {"event": "training", "step": 2, "steps": 10})
    # 8 steps of 20 s, and an evaluation twice as slow as forecast
    assert run.words() == "0 of 2 jobs done, about 4 min left in all"
    assert run.stages() == ["sft"]
    now[0] = 200.0
    run.end("train")
    assert run.words() == "1 of 2 jobs done, about 2 min left in all"
    run.begin("evaluate", "sft")
    now[0] = 290.0
    assert run.words() == "1 of 2 jobs done, about 10 s left in all"
    run.end("evaluate")
    assert run.words() == "2 of 2 jobs done"


def test_a_resumed_job_counts_for_what_was_done_here() -> None:
    now = [0.0]
    run = Overall({"a": 100.0, "b": 100.0}, clock=lambda: now[0])
    run.begin("a", "sft")
    run.see("sft", {"event": "training", "step": 90, "steps": 100})
    now[0] = 10.0
    run.end("a")
    assert run.words() == "1 of 2 jobs done, about 2 min left in all"


def test_a_resumed_job_has_left_what_was_not_done_before_it_began() -> None:
    now = [0.0]
    run = Overall({"a": 100.0, "b": 20.0}, clock=lambda: now[0])
    run.begin("a", "sft")
    run.see("sft", {"event": "training", "step": 60, "steps": 100})
    # 40 of 100 steps, and the other job
    assert run.words() == "0 of 2 jobs done, about 60 s left in all"
    now[0] = 40.0
    run.see("sft", {"event": "training", "step": 80, "steps": 100})
    # 20 steps of 2 s, and the other job twice as slow as forecast
    assert run.words() == "0 of 2 jobs done, about 80 s left in all"


def test_the_first_count_of_a_job_that_logs_seldom_is_work_of_its_own() -> None:
    now = [0.0]
    run = Overall({"a": 100.0, "b": 100.0}, clock=lambda: now[0])
    run.begin("a", "sft")
    run.see("sft", {"event": "training", "step": 0, "steps": 100})
    now[0] = 50.0
    run.see("sft", {"event": "training", "step": 50, "steps": 100})
    assert run.words() == "0 of 2 jobs done, about 2 min left in all"
    now[0] = 100.0
    run.end("a")
    assert run.ended == [Ended(100.0, 100.0)]


def test_nothing_is_said_of_time_where_nothing_is_known() -> None:
    run = Overall({"a": None, "b": None})
    assert run.words() == "0 of 2 jobs done"


def test_times_are_written_as_roughly_as_they_are_known() -> None:
    assert [about(seconds) for seconds in (4.4, 89, 400, 9000)] == ["4 s", "89 s", "7 min", "2.5 h"]


def test_something_is_done_every_so_often_until_it_is_over() -> None:
    twice, times = threading.Event(), []

    def do() -> None:
        times.append(1)
        if len(times) == 2:
            twice.set()

    with every(0.01, do):
        assert twice.wait(10)
    done = len(times)
    assert threading.Event().wait(0.05) is False and len(times) == done
