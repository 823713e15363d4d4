"""Runs made of literal scores, for everything that reads records."""

from evals.accuracy import count_outcomes
from evals.judges.reference import ID as JUDGE
from evals.judges.reference import prefer
from evals.records import EvalResult, Generation, Score
from evals.suite import measure
from reports.records import RunRecord, StageRecord
from stages.records import StageResult

CONTRACT = {"task": "schoolmath", "held_out": 0, "num_fewshot": 0, "max_tokens": 96, "dtype": "float32", "judge": JUDGE}


def make_score(problem: str, correct: bool, n_tokens: int = 40) -> Score:
    return Score(
        id=problem,
        group="test",
        question=f"Question {problem}?",
        target="4",
        correct=correct,
        correct_strict=correct,
        answer="4" if correct else "5",
        answer_strict=None,
        outcome="correct" if correct else "wrong",
        n_tokens=n_tokens,
        truncated=False,
    )


def make_stage(
    name: str, scores: list[Score], before: "list[StageRecord] | None" = None, text: str = "It is 4.", run: str = "demo"
) -> StageRecord:
    references = {}
    if before:
        references = {"base": list(before[0].scores.values()), "previous": list(before[-1].scores.values())}
    measured = measure(scores, references, prefer)  # type: ignore[arg-type]  # keys are the two literals
    verdicts: dict[str, dict[str, object]] = {}
    for verdict in measured.verdicts:
        verdicts.setdefault(verdict.against, {})[verdict.id] = verdict
    return StageRecord(
        run=run,
        name=name,
        kind=name,
        training=None if not before else make_training(name),
        evaluation=EvalResult(
            contract_id="c0ffee",
            contract=CONTRACT,
            metrics=measured.metrics,
            outcomes=count_outcomes(scores),
            win_tie_loss=measured.win_tie_loss,
            seconds=12.0,
            peak_memory_bytes=10**9,
            versions={},
        ),
        scores={score.id: score for score in scores},
        generations={
            score.id: Generation(
                id=score.id, group="test", prompt="p", response=text, n_tokens=score.n_tokens, finish_reason="stop"
            )
            for score in scores
        },
        verdicts=verdicts,  # type: ignore[arg-type]  # built as Verdicts above
    )


def make_training(kind: str) -> StageResult:
    return StageResult(
        kind=kind,
        steps=10,
        tokens=1000,
        seconds=61.0,
        peak_memory_bytes=2 * 10**9,
        peak_memory_of="process, resident",
        trainable_parameters=1024,
        device="cpu",
        dtype="float32",
        versions={},
        history=[{"step": 1, "loss": 0.5}],
    )


def make_run(stages: list[StageRecord], name: str = "demo", contract: dict[str, object] | None = None) -> RunRecord:
    return RunRecord(
        name=name,
        model="tiny",
        data="bundled/schoolmath",
        device="CPU",
        versions={"python": "3.11"},
        contract_id="c0ffee",
        contract=contract or CONTRACT,
        wall_clock_seconds=75.0,
        sittings=1,
        stages=stages,
        missing=[],
    )


def chain(base: list[bool], sft: list[bool], lengths: tuple[int, int] = (60, 40), text: str = "It is 4.") -> RunRecord:
    """A run of base and sft over the same problems, right or wrong as given."""
    first = make_stage("base", [make_score(f"p/{i}", c, lengths[0]) for i, c in enumerate(base)], text=text)
    second = make_stage("sft", [make_score(f"p/{i}", c, lengths[1]) for i, c in enumerate(sft)], [first], text=text)
    return make_run([first, second])
