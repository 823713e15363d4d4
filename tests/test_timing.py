"""How long a response takes: kept batch by batch, apart from what must be the same every time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.files import read_records
from stagelift.evals.metrics.timing import seconds_by_batch, timing_metrics
from stagelift.evals.models.engines.engine import (
    Answer,
    AnswerLogprob,
    Completion,
    OnFinished,
    Request,
)
from stagelift.evals.models.generate import Generator, Prompt
from stagelift.evals.records import Generation, Timing
from stagelift.reports.words import formatting


def timing(batch: str, seconds: float, **other: Any) -> Timing:
    fields = {"group": "test", "sample": 0, "responses": 4} | other
    return Timing(batch=batch, seconds=seconds, **fields)


def test_a_batch_is_one_observation_by_the_responses_in_it() -> None:
    """0.5, 0.7 and 0.9 s: mean 0.7, sd 0.2, t(.975, 2) = 4.302653."""
    timings = [timing("a", 2.0), timing("b", 2.8), timing("c", 0.9, responses=1)]
    metric = timing_metrics(timings)["seconds_per_response"]
    half = 4.302653 * 0.2 / 3**0.5
    assert (metric.value, metric.low, metric.high, metric.n) == pytest.approx(
        (0.7, 0.7 - half, 0.7 + half, 3), abs=1e-6
    )
    assert formatting.value("seconds_per_response", metric) == "0.700 s [0.203, 1.197]"
    assert formatting.change("seconds_per_response", -0.0124) == "-0.012"


def test_a_batch_of_no_responses_is_named_as_damage(tmp_path: Path) -> None:
    line = timing("a", 2.0).model_dump_json().replace('"responses":4', '"responses":0')
    (tmp_path / "timings.jsonl").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"timings\.jsonl, line 1 is damaged: no Timing"):
        read_records(tmp_path / "timings.jsonl", Timing)


def test_samples_of_a_batch_count_their_mean_and_preference_prompts_do_not_count() -> None:
    timings = [
        timing("a", 2.0),
        timing("a", 4.0, sample=1),
        timing("p", 40.0, group="preference"),
    ]
    assert seconds_by_batch(timings) == {"a": 0.75}


def test_nothing_timed_is_not_measured() -> None:
    assert timing_metrics([]) == {}
    assert timing_metrics([timing("p", 40.0, group="preference")]) == {}


class Counting:
    """Answers what it is asked; only the source of text is replaced. It fails at its third call
    where it is to.
    """

    identity = "counting"

    def __init__(self, *, fails: bool) -> None:
        self.calls = 0
        self.fails = fails

    def complete(self, requests: Sequence[Request], on_finished: OnFinished) -> list[Completion]:
        self.calls += 1
        if self.fails and self.calls == 3:
            raise KeyboardInterrupt
        on_finished(len(requests))
        return [Completion(f"It is {request.prompt}.", 3, "stop") for request in requests]

    def answer_logprobs(self, _answers: Sequence[Answer]) -> list[AnswerLogprob] | None:
        return None


def generate(
    folder: Path, engine: Counting, told: list[tuple[int, int]] | None = None
) -> list[Generation]:
    generator = Generator(
        engine,
        folder / "generations.jsonl",
        folder / "timings.jsonl",
        1,
        lambda *counted: None if told is None else told.append(counted),
    )
    prompts = [Prompt(f"p/{number}", "test", "a" * (20 - number), (), 8) for number in range(14)]
    return generator.generate(prompts)


def test_a_resumed_evaluation_keeps_the_times_before_the_interruption(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, Counting(fails=True))
    before = read_records(tmp_path / "timings.jsonl", Timing)
    assert [timing.responses for timing in before] == [4, 4]
    resumed, told = Counting(fails=False), list[tuple[int, int]]()
    generate(tmp_path, resumed, told)
    # what is there already is told before anything is done
    assert told[0] == (8, 14) and told[-1] == (14, 14)
    after = read_records(tmp_path / "timings.jsonl", Timing)
    assert resumed.calls == 2
    assert after[:2] == before and [timing.responses for timing in after] == [4, 4, 4, 2]
    assert timing_metrics(after)["seconds_per_response"].n == 4


def test_a_batch_that_was_made_twice_counts_its_last_time(tmp_path: Path) -> None:
    generate(tmp_path, Counting(fails=False))
    timings = read_records(tmp_path / "timings.jsonl", Timing)
    assert seconds_by_batch([timing(timings[0].batch, 400.0), *timings]) == seconds_by_batch(
        timings
    )


def test_times_change_no_byte_of_the_responses(tmp_path: Path) -> None:
    for name in ("one", "other"):
        generate(tmp_path / name, Counting(fails=False))
    texts = [(tmp_path / name / "generations.jsonl").read_bytes() for name in ("one", "other")]
    assert texts[0] == texts[1]
    batches = [
        [timing.batch for timing in read_records(tmp_path / name / "timings.jsonl", Timing)]
        for name in ("one", "other")
    ]
    assert batches[0] == batches[1] and len({*batches[0]}) == 4
