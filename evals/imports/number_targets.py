"""Whether the targets of an lm-eval task are numbers that its responses are to state.

A target that is a number may be something else: a dummy (IFEval's is 0 everywhere) or the index of
a choice (boolq-seq2seq has 0 for "no"). A file does not say which, so a target counts as an answer
only where it is a worked one (`#### n`), or where the task itself matches responses with targets
and its matches do not speak against it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from stagelift.evals.metrics.answers.reading import read_target

# the metrics of lm-eval's tasks that hold a response against its target
_MATCHES = {"exact_match", "exact", "em", "math_verify", "numerical_match", "relaxed_accuracy"}
_NUMERAL = re.compile(r"\d+(?:\.\d+)?")
_WORKED = "####"
# what is said where a task's numbers are taken for none
NOT_STATED = (
    "targets are numbers, but nothing in the file says that responses are to state them (they may "
    "be a dummy, or the index of a choice), so there is no accuracy"
)


class TargetUse(NamedTuple):
    """A document's target, its response, and the metrics by which the task scored it."""

    target: str
    response: str
    metrics: dict[str, float]


def are_numbers_to_state(documents: Sequence[TargetUse]) -> bool:
    """Say whether numbers among the targets are answers."""
    if any(_WORKED in document.target for document in documents):
        return True
    with_numbers = [document for document in documents if read_target(document.target) is not None]
    if not any(_MATCHES & document.metrics.keys() for document in with_numbers):
        return False
    matched = [document for document in with_numbers if _is_matched(document)]
    if matched:
        return 2 * sum(map(_states_its_target, matched)) >= len(matched)
    return not _could_be_indices({document.target for document in with_numbers})


def _is_matched(document: TargetUse) -> bool:
    return any(document.metrics.get(metric) == 1 for metric in _MATCHES)


def _states_its_target(document: TargetUse) -> bool:
    number = read_target(document.target)
    stated = _NUMERAL.findall(document.response.replace(",", ""))
    return any(read_target(numeral) == (number or "").lstrip("-") for numeral in stated)


def _could_be_indices(targets: set[str]) -> bool:
    """A dummy is the same everywhere, and an index has one digit."""
    return all(re.fullmatch(r"\d", target.strip()) for target in targets)
