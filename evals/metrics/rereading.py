"""Stored responses read once more, by what their scores and the contract say of them: no model, no
data.
"""

from typing import Any

from stagelift.evals.metrics.own_scores import with_scores
from stagelift.evals.metrics.scorers.in_contract import own_scorers
from stagelift.evals.metrics.scorers.known import Named
from stagelift.evals.metrics.scoring import score_instructions, score_stored, with_looping
from stagelift.evals.records import Generation, Score

LM_EVALS = ("correct_strict", "correct_flexible", "answer_strict", "answer_flexible")


def read_again(
    generations: list[Generation], held: list[Score], contract: dict[str, Any]
) -> list[Score]:
    """Read the responses in the order of the old scores, which hold the questions and targets.

    What lm-eval read itself, elsewhere, stays as it read it. Raises ValueError where a response is
    missing.
    """
    by_key = {(response.id, response.sample): response for response in generations}
    missing = next((old.id for old in held if (old.id, old.sample) not in by_key), None)
    if missing is not None:
        raise ValueError(
            f"The response to '{missing}' is missing among the generations, so it cannot be read "
            "again."
        )
    scorers = own_scorers(contract)
    scores = [_one_again(by_key[old.id, old.sample], old, scorers) for old in held]
    # of several formats, lm-eval's own readings are known of its files only
    if "lm-eval" not in str(contract.get("imported")).split(" + "):
        return scores
    return [
        new.model_copy(update={name: getattr(old, name) for name in LM_EVALS})
        for old, new in zip(held, scores, strict=True)
    ]


def task_of(score: Score) -> str | None:
    """Return the task of the user's that a score is of; None is the main one."""
    return None if score.group != "task" else score.id.rpartition("/")[0]


def _one_again(generation: Generation, old: Score, scorers: dict[str | None, list[Named]]) -> Score:
    """Read a response as it was read; where it was not looked at whether it loops, it is not
    now.
    """
    read = _without_looping(generation, old, scorers)
    return read if old.looping is None else with_looping(read, generation.response)


def _without_looping(
    generation: Generation, old: Score, scorers: dict[str | None, list[Named]]
) -> Score:
    if old.group == "instructions" and old.target is not None and old.cluster is not None:
        return score_instructions(generation, old.question, old.target, old.cluster)
    if old.row is None:
        return score_stored(generation, old.question, old.target, old.cluster)
    return with_scores(old, generation.response, scorers[task_of(old)])
