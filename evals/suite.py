"""Score one model's generations: lm-eval reads the answers, then every metric is computed from the same responses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from evals.accuracy import accuracy, accuracy_strict, count_outcomes
from evals.files import read_records
from evals.length import length_metrics
from evals.records import Generation, Metric, Outcome, Score, Verdict
from evals.task import FLEXIBLE, STRICT
from evals.winrate import Judge, judge_pairs, win_rate, win_tie_loss

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

    from evals.lm import StoredLM

_INVALID = "[invalid]"  # what lm-eval's regex filter returns where it found nothing


class Measurement(NamedTuple):
    """Everything computed from one model's generations."""

    scores: list[Score]
    verdicts: list[Verdict]
    metrics: dict[str, Metric]
    outcomes: dict[Outcome, int]
    win_tie_loss: dict[str, tuple[int, int, int]]


def score_responses(tasks: Mapping[str, "ConfigurableTask"], lm: "StoredLM") -> list[Score]:
    """Run lm-eval's `evaluate` (prompts, filters and scoring are its own) and read one Score per problem."""
    from lm_eval.evaluator import evaluate

    result: Any = evaluate(
        lm,
        {"tasks": dict(tasks), "groups": {}, "group_map": {}},  # the shape TaskManager.load returns
        bootstrap_iters=0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
    )
    generations = {generation.id: generation for generation in read_records(lm.path, Generation)}
    by_problem: dict[str, dict[str, Any]] = {}  # lm-eval gives one sample per problem and filter
    for sample in (sample for samples in result["samples"].values() for sample in samples):
        by_problem.setdefault(sample["doc"]["id"], {})[sample["filter"]] = sample
    return [_score(samples, generations[problem]) for problem, samples in by_problem.items()]


def measure(
    scores: Sequence[Score], references: Mapping[Literal["base", "previous"], Sequence[Score]], judge: Judge
) -> Measurement:
    """Compute every metric from scores. `references` holds the scores to judge against; base itself has none.

    Accuracy comes for both groups of problems; lengths, outcomes and win rates are those of the `test` group.
    """
    test = [score for score in scores if score.group == "test"]
    held_out = [score for score in scores if score.group == "held_out"]
    verdicts = [
        verdict
        for against, others in references.items()
        for verdict in judge_pairs(test, {other.id: other for other in others}, against, judge)
    ]
    judged = {against: [v for v in verdicts if v.against == against] for against in references}
    metrics = {"accuracy": accuracy(test), "accuracy_strict": accuracy_strict(test)}
    if held_out:
        metrics |= {"accuracy_held_out": accuracy(held_out), "accuracy_strict_held_out": accuracy_strict(held_out)}
    metrics |= length_metrics(test)
    metrics |= {f"win_rate_{against}": win_rate(pairs) for against, pairs in judged.items()}
    counts = {f"win_rate_{against}": win_tie_loss(pairs) for against, pairs in judged.items()}
    return Measurement(list(scores), verdicts, metrics, count_outcomes(test), counts)


def _score(samples: Mapping[str, Any], generation: Generation) -> Score:
    flexible, strict = samples[FLEXIBLE], samples[STRICT]
    correct = bool(flexible["exact_match"])
    truncated = generation.finish_reason == "length"
    answer = _answer(flexible)
    return Score(
        id=generation.id,
        group=generation.group,
        question=flexible["doc"]["question"],
        target=flexible["doc"]["answer"].rsplit("####", 1)[-1].strip(),
        correct=correct,
        correct_strict=bool(strict["exact_match"]),
        answer=answer,
        answer_strict=_answer(strict),
        outcome=_outcome(correct, truncated, answer),
        n_tokens=generation.n_tokens,
        truncated=truncated,
    )


def _answer(sample: Mapping[str, Any]) -> str | None:
    answer = str(sample["filtered_resps"][0])
    return None if answer == _INVALID else answer


def _outcome(correct: bool, truncated: bool, answer: str | None) -> Outcome:
    if correct:
        return "correct"
    if truncated:
        return "truncated"
    return "unparsed" if answer is None else "wrong"
