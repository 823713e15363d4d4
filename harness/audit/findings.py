"""What is ill with rewards, in sentences: each says what was paid and what follows from it."""

from collections.abc import Callable, Iterable, Iterator

from stagelift.harness.audit.audit import Completion, Pays, StageAudit, Value
from stagelift.harness.audit.tried import Sort

# seconds for a completion, from which on a step waits for its rewards
_SLOW = 0.1
# beyond it one completion decides a group
_LARGE = 100.0
# of what is between its least and its most, from where on a reward pays
_HALF = 0.5
# a difference of less is none: rewards are float32 in TRL
_EQUAL = 1e-6

_SORTS: dict[Sort, str] = {
    "empty": "completions that say nothing",
    "format": "form without content",
    "repeated": "repetition",
    "hedged": "naming several answers",
}


def findings(audit: StageAudit) -> list[str]:
    """Return what is ill with each reward of a stage, and with all of them together."""
    alone = [f"{pays.reward} {said}." for pays in audit.rewards for said in _of_reward(pays, audit)]
    return [*alone, *(f"{said}." for said in _together(audit))]


def _of_reward(pays: Pays, audit: StageAudit) -> Iterator[str]:
    yield from _broken(pays)
    means = _means(audit.completions, pays)
    if not means or (pays.error is not None and not pays.errors):
        return
    if pays.again and pays.again != pays.values:
        changed = [each for each in pays.values if pays.again.get(each) != pays.values[each]]
        yield f"pays otherwise when it is asked again, for: {_called(changed)}"
        return
    least, most = min(means.values()), max(means.values())
    if most - least < _EQUAL:
        yield f"pays {most:g} for everything that was tried, so that nothing is learned from it"
    else:
        yield from _paid_for(means, least, least + _HALF * (most - least))
        yield from _for_length(means, most - least)
    if max(abs(least), abs(most)) > _LARGE:
        yield (
            f"pays from {least:g} to {most:g}: without bounds a single completion decides what is "
            "learned. Cut it to a range such as 0 to 1"
        )
    if pays.seconds is not None and pays.seconds > _SLOW:
        step = pays.seconds * audit.per_step
        yield f"takes {pays.seconds:.2g} s for a completion, {step:.2g} s in each training step"


def _broken(pays: Pays) -> Iterator[str]:
    """Say what came in the place of numbers."""
    if pays.error is not None:
        which = f" (for: {_called(pays.errors)})" if pays.errors and pays.values else ""
        yield f"{pays.error}{which}"
    odd = _with(pays, lambda value: isinstance(value, str))
    if odd:
        shown = next(value for value in pays.values[odd[0]] if isinstance(value, str))
        yield f"gives {shown} for: {_called(odd)}. A reward is a finite number, or None"
    none = _with(pays, lambda value: value is None)
    if none and len(none) == len(pays.values):
        yield "measures nothing: it gives None for everything that was tried"
    elif none:
        yield f"measures nothing (None) for: {_called(none)}"


def _with(pays: Pays, is_so: Callable[[Value], bool]) -> list[Completion]:
    return [each for each, values in pays.values.items() if any(is_so(value) for value in values)]


def _means(completions: Iterable[Completion], pays: Pays) -> dict[Completion, float]:
    means = {completion: pays.mean(completion) for completion in completions}
    return {completion: mean for completion, mean in means.items() if mean is not None}


def _paid_for(means: dict[Completion, float], least: float, half: float) -> Iterator[str]:
    """Say which sorts are paid for that should not be, against the best right answer."""
    right = _best(means, "right")
    unpaid = [each for each in means if each.sort == "right" and means[each] < least + _EQUAL]
    is_penalty = max(means.values()) <= 0 and not _knows_answers(means)
    if not is_penalty:
        yield from _paid_wrong(means, right)
    if right is not None and unpaid and means[right] > half:
        yield f"does not pay right answers written so: {_called(unpaid)}"
    if not is_penalty:
        yield from _paid_without(means, half)


def _paid_wrong(means: dict[Completion, float], right: Completion | None) -> Iterator[str]:
    wrong = _best(means, "wrong")
    if right is not None and wrong is not None and means[wrong] > means[right] - _EQUAL:
        yield (
            f"pays wrong answers as much as right ones: {means[wrong]:.3g} for '{wrong.called}', "
            f"{means[right]:.3g} at most for a right one"
        )


def _paid_without(means: dict[Completion, float], half: float) -> Iterator[str]:
    """Say which sorts are paid for that have no answer, or hide it."""
    for sort, what in _SORTS.items():
        best = _best(means, sort)
        if best is not None and means[best] > half:
            paid = [each for each in means if each.sort == sort and means[each] > half]
            yield f"pays for {what} ({means[best]:.3g}): {_called(paid)}"


def _knows_answers(means: dict[Completion, float]) -> bool:
    """Say whether a wrong answer is paid far less than a right one in the same words.

    A reward that does not, and never pays more than 0, is a penalty: it pays for nothing.
    """
    of = {completion.called: mean for completion, mean in means.items()}
    far = _HALF * (max(of.values()) - min(of.values()))
    return any(mean - of.get(f"{called}, wrong", mean) > far for called, mean in of.items())


def _for_length(means: dict[Completion, float], span: float) -> Iterator[str]:
    """Say whether words without content add to what is paid."""
    of = {completion.called: mean for completion, mean in means.items()}
    pairs = (
        ("the answer, then words", "the row's answer"),
        ("words, then the answer", "the row's answer"),
        ("wrong, then words", "alone, wrong"),
        ("words alone", "nothing"),
    )
    longer = [
        f"{of[long]:.3g} for '{long}' against {of[short]:.3g} for '{short}'"
        for long, short in pairs
        if long in of and short in of and of[long] > of[short] + 0.05 * span
    ]
    if longer:
        yield f"grows with length: {longer[0]}"


def _together(audit: StageAudit) -> Iterator[str]:
    """Say whether the weighted sum lets another completion beat a right one."""
    paid = {each: audit.together(each) for each in audit.completions}
    means = {each: mean for each, mean in paid.items() if mean is not None}
    answers = [each for each in means if each.called == "the row's answer"]
    if len(audit.rewards) < 2 or not answers:
        return
    right = answers[0]
    wrongs = [each for each in means if each.sort in ("wrong", "empty", "format")]
    better = [each for each in wrongs if means[each] > means[right] - _EQUAL]
    if better:
        best = max(better, key=lambda each: means[each])
        weights = ", ".join(f"{weight:g}" for weight in audit.weights)
        yield (
            f"Together, with weights {weights}, the rewards pay {means[best]:.3g} for "
            f"'{best.called}' and {means[right]:.3g} for the row's own right answer"
        )


def _best(means: dict[Completion, float], sort: Sort) -> Completion | None:
    of_sort = [each for each in means if each.sort == sort]
    return max(of_sort, key=lambda each: means[each], default=None)


def _called(completions: Iterable[Completion]) -> str:
    names = [each.called for each in completions]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
