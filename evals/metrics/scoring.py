"""Read an answer out of a response three ways and compare each with the target.

`numeric` is ours (`answers.reading`) and is what accuracy means here; strict and flexible are
lm-eval's gsm8k filters and exact match, its own functions. The GRPO reward calls
`is_correct`, so reward and metric agree. Nothing here judges the working: a right number after
wrong steps is right.
"""

import json

from stagelift.evals.credentials import without_credentials
from stagelift.evals.lm_eval.gsm8k import FLEXIBLE, STRICT, lm_eval_reading
from stagelift.evals.lm_eval.verifiers import violated
from stagelift.evals.metrics.answers.reading import read_answer, read_target
from stagelift.evals.metrics.looping import is_looping
from stagelift.evals.records import Generation, Outcome, Score


def is_correct(response: str, answer: str) -> bool:
    """Say whether `response` states the number that `answer` (a worked answer ending in `#### n`,
    or `n`) ends in.
    """
    target = read_target(answer)
    return target is not None and read_answer(response) == target


def score(
    generation: Generation, question: str, target: str | None, cluster: str | None = None
) -> Score:
    """Read one response to a prompt, which may come in a cluster, as records will hold them.

    Without a target, or with one that is not a number, nothing can be right or wrong.
    """
    return score_stored(*as_stored(generation, question, target), cluster)


def score_stored(
    generation: Generation, question: str, target: str | None, cluster: str | None
) -> Score:
    """Read a response that a record holds: what the environment holds now changes nothing of it."""
    if target is None:
        return unscored(generation, question, None, cluster)
    number = read_target(target)
    if number is None:
        return unscored(generation, question, target, cluster)
    # what lm-eval compares with, and what is stored to be scored again
    target = target.rsplit("####", 1)[-1].strip()
    response = generation.response
    answer = read_answer(response)
    answer_strict, correct_strict = lm_eval_reading(response, target, STRICT)
    answer_flexible, correct_flexible = lm_eval_reading(response, target, FLEXIBLE)
    return unscored(generation, question, target, cluster).model_copy(
        update={
            "correct": answer == number,
            "correct_strict": correct_strict,
            "correct_flexible": correct_flexible,
            "answer": answer,
            "answer_strict": answer_strict,
            "answer_flexible": answer_flexible,
            "outcome": _outcome(answer == number, generation.finish_reason == "length", answer),
        }
    )


def with_looping(read: Score, response: str) -> Score:
    """Add whether a response ends in a loop: a looping one that is not right has that outcome."""
    looping = is_looping(response)
    outcome = read.outcome
    if looping and outcome not in (None, "correct"):
        outcome = "looping"
    return read.model_copy(update={"looping": looping, "outcome": outcome})


def score_instructions(generation: Generation, question: str, target: str, cluster: str) -> Score:
    """Check a response to an instruction prompt; the `target` is its instructions as JSON, by
    lm-eval's names and with their arguments.
    """
    names = violated(generation.response, question, json.loads(target))
    return unscored(generation, question, target, cluster).model_copy(
        update={"followed": not names, "violated": tuple(names)}
    )


def as_stored(
    generation: Generation, question: str, target: str | None
) -> tuple[Generation, str, str | None]:
    """Return what records hold of these, without credentials: what is scored can be read again."""
    response = without_credentials(generation.response)
    if response != generation.response:
        generation = generation.model_copy(update={"response": response})
    kept = None if target is None else without_credentials(target)
    return generation, without_credentials(question), kept


def unscored(
    generation: Generation, question: str, target: str | None, cluster: str | None
) -> Score:
    """Return what is known of a response before anybody reads it."""
    return Score(
        id=generation.id,
        group=generation.group,
        sample=generation.sample,
        question=question,
        target=target,
        correct=None,
        correct_strict=None,
        correct_flexible=None,
        answer=None,
        answer_strict=None,
        answer_flexible=None,
        outcome=None,
        n_tokens=generation.n_tokens,
        n_chars=len(generation.response),
        truncated=_is_truncated(generation),
        cluster=cluster,
    )


def _is_truncated(generation: Generation) -> bool | None:
    """None where it is not known why the response ended."""
    if generation.finish_reason is None:
        return None
    return generation.finish_reason == "length"


def _outcome(correct: bool, truncated: bool, answer: str | None) -> Outcome:
    if correct:
        return "correct"
    if truncated:
        return "truncated"
    return "unparsed" if answer is None else "wrong"
