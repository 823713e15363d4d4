"""The scorers of a user's tasks as a contract has them: what they were, and what they are today."""

from collections.abc import Mapping
from typing import Any

from stagelift.evals.metrics.scorers.known import Named, named, read_scorer
from stagelift.evals.metrics.scorers.scorer import Scorer

# what says which code a scorer is; the rest are its settings
_OF_THE_CODE = ("version", "code")


def own_scorers(contract: Mapping[str, Any]) -> dict[str | None, list[Named]]:
    """Return the scorers of a contract's own tasks by task; None is the main one.

    Raises ValueError, in a sentence, where a scorer is not there any more.
    """
    scorers: dict[str | None, list[Named]] = {None: named(_scorers(contract), None)}
    for task in contract.get("own", []):
        scorers[task["task"]] = named(_scorers(task), task["task"])
    return scorers


def own_scorers_today(contract: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a contract that say what its scorers are, with today's code; empty where
    it has none.
    """
    today: dict[str, Any] = {}
    if contract.get("scorers"):
        today["scorers"] = _identities(contract)
    if contract.get("own"):
        today["own"] = [{**task, "scorers": _identities(task)} for task in contract["own"]]
    return today


def _scorers(task: Mapping[str, Any]) -> list[Scorer]:
    scorers = []
    for known in task.get("scorers", []):
        settings = {name: value for name, value in known.items() if name not in _OF_THE_CODE}
        scorer = read_scorer(settings)
        scorer.check()
        scorers.append(scorer)
    return scorers


def _identities(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [scorer.identity() for scorer in _scorers(task)]
