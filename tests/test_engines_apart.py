"""What different engines answered is compared only when asked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.contract import OF_THE_SERVER, Difference, first_difference
from stagelift.reports.gates.check import check
from stagelift.reports.gates.not_comparable import NotComparableError
from stagelift.reports.gates.scores import stage_scores
from stagelift.reports.numbers.passports import run_passport
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from stagelift.reports.words.notes import footnotes
from stagelift.reports.words.provenance import provenance_lines

OURS = {"dtype": "float32", "engine": "transformers-2", "max_tokens": 16}
THEIRS = {"dtype": OF_THE_SERVER, "engine": "server-1:m@http://here:8000/v1", "max_tokens": 16}


def test_the_engine_is_named_before_what_its_server_decides() -> None:
    assert first_difference(OURS, THEIRS) == Difference(
        "engine", "transformers-2", "server-1:m@http://here:8000/v1"
    )


def test_across_engines_all_but_the_engine_must_agree() -> None:
    assert first_difference(OURS, THEIRS, across_engines=True) is None
    longer = {**THEIRS, "max_tokens": 32}
    assert first_difference(OURS, longer, across_engines=True) == Difference("max_tokens", 16, 32)
    # two engines of ours have a dtype each
    halved = {**OURS, "engine": "vllm-1:0.32.0", "dtype": "float16"}
    assert first_difference(OURS, halved, across_engines=True) == Difference(
        "dtype", "float32", "float16"
    )


@pytest.fixture
def runs(finished_run: Path) -> list[RunRecord]:
    """A run, and one that another engine is said to have answered."""
    run = read_run(finished_run)
    return [run, answered_by(run, "vllm-1:0.32.0")]


def answered_by(run: RunRecord, engine: str) -> RunRecord:
    contract: dict[str, Any] = {**run.contract, "engine": engine}
    stages = [
        replace(
            stage,
            run="other",
            evaluation=stage.evaluation.model_copy(update={"contract": contract}),
        )
        for stage in run.stages
    ]
    return replace(run, name="other", contract=contract, stages=stages)


def test_reports_of_two_engines_are_refused_unless_asked_for(runs: list[RunRecord]) -> None:
    with pytest.raises(ValueError, match=r"engine is '.*-2' in one .* --across-engines\."):
        build_report(runs)
    report = build_report(runs, across_engines=True)
    (note,) = [note for note in footnotes(report) if note.startswith("Engines differ")]
    assert "vllm-1:0.32.0 answered" in note
    engines = [text for name, text in provenance_lines(report) if name == "engine"]
    assert engines == [runs[0].contract["engine"], "vllm-1:0.32.0"]


def test_checks_of_two_engines_are_refused_unless_asked_for(runs: list[RunRecord]) -> None:
    ours, theirs = (stage_scores(run.stages[1], run, run_passport(run)) for run in runs)
    with pytest.raises(NotComparableError, match="--across-engines") as refused:
        check(theirs, ours)
    assert refused.value.field == "engine"
    answer = check(theirs, ours, across_engines=True)
    assert any(note.startswith("Engines differ") for note in answer.notes)
