"""What a stage cost: instructions followed, questions answered, plain text predicted, and loops.

`instructions_followed` is the share of prompts of which every instruction was followed (lm-eval's
verifiers; the kinds of instruction are clusters). `choice_acc` is the share of questions whose true
answer has the largest log-probability, `choice_acc_norm` after division by each answer's length in
characters, as lm-eval's acc and acc_norm (topics are clusters). `bits_per_byte` is the mean over
passages of their negative log-probability in bits, by byte of UTF-8 (documents are clusters);
bytes, because models may have different tokens. All are of few, easy, English rows: that nothing is
shown lost here does not mean that nothing was lost.
"""

from collections.abc import Mapping, Sequence
from math import log

from stagelift.evals.metrics.accuracy import share
from stagelift.evals.metrics.measures import in_group, measure
from stagelift.evals.records import ChoiceScore, Group, Metric, PassageScore, Score
from stagelift.evals.stats import estimates

INSTRUCTIONS_FOLLOWED = "instructions_followed"
CHOICE_ACC, CHOICE_ACC_NORM = "choice_acc", "choice_acc_norm"
BITS_PER_BYTE = "bits_per_byte"
_LOOPING_IN: tuple[Group, ...] = ("test", "preference", "instructions")


def instruction_metrics(scores: Sequence[Score]) -> dict[str, Metric]:
    """Compute the share of prompts whose instructions were all followed; empty without any."""
    followed = share(scores, "followed")
    return {} if followed is None else {INSTRUCTIONS_FOLLOWED: followed}


def looping_metrics(groups: Mapping[Group, Sequence[Score]]) -> dict[str, Metric]:
    """Compute the share of responses that end in a loop, where that was looked at."""
    shares = {in_group("looping", group): share(groups[group], "looping") for group in _LOOPING_IN}
    return {name: metric for name, metric in shares.items() if metric is not None}


def likelihood_metrics(
    choices: Sequence[ChoiceScore], passages: Sequence[PassageScore]
) -> dict[str, Metric]:
    """Compute what is read off log-probabilities; empty without any."""
    clusters = likelihood_clusters(choices, passages)
    metrics = {}
    for name, values in likelihood_values(choices, passages).items():
        numbers, groups = list(values.values()), [clusters[row] for row in values]
        if name == BITS_PER_BYTE:
            metrics[name] = estimates.within(measure(name).ends, estimates.mean(numbers, groups))
        else:
            metrics[name] = estimates.rate(numbers, groups)
    return metrics


def likelihood_values(
    choices: Sequence[ChoiceScore], passages: Sequence[PassageScore]
) -> dict[str, dict[str, float]]:
    """Return the values of each metric by the question's or the passage's id."""
    values: dict[str, dict[str, float]] = {}
    if choices:
        values[CHOICE_ACC_NORM] = {row.id: _is_right(row, by_character=True) for row in choices}
        values[CHOICE_ACC] = {row.id: _is_right(row, by_character=False) for row in choices}
    if passages:
        values[BITS_PER_BYTE] = {row.id: -row.nats / log(2) / row.n_bytes for row in passages}
    return values


def likelihood_clusters(
    choices: Sequence[ChoiceScore], passages: Sequence[PassageScore]
) -> dict[str, str]:
    """Return the topic of each question and the document of each passage, by id."""
    return {row.id: row.topic for row in choices} | {row.id: row.document for row in passages}


def _is_right(row: ChoiceScore, *, by_character: bool) -> float:
    """Say (1 or 0) whether the true answer is the likeliest; of equals the first counts, as in
    numpy's argmax, which lm-eval takes.
    """
    worth = list(row.nats)
    if by_character:
        worth = [nats / length for nats, length in zip(row.nats, row.characters, strict=True)]
    return float(worth.index(max(worth)) == row.right)
