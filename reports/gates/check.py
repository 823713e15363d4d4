"""The regression check: a candidate's scores against a baseline's, metric by metric, each with its
margin.

Both sides must have been measured under one contract, on the same prompts and by a judge that was
not found unfit, and both must have every metric that counts; otherwise there is no answer, and the
field that differs is named.
"""

import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stagelift.evals.contract import engines_differ, first_difference, in_words, same_tokenizer
from stagelift.evals.judges.passport import knows_targets
from stagelift.evals.metrics.measures import FIXED, as_judged, at_equal_lengths, measure
from stagelift.reports.gates.equal_lengths import evidence_at_equal_lengths
from stagelift.reports.gates.evidence import Evidence, evidence
from stagelift.reports.gates.gate import Gate, Outcome, decide_all, overall
from stagelift.reports.gates.margins import DEFAULT, Margin, default_margins, in_tiers
from stagelift.reports.gates.not_comparable import NotComparableError
from stagelift.reports.gates.scores import OTHER_TOKENS, StageScores, without_tokens


@dataclass(frozen=True)
class Check:
    """A check's answer; `missing` is how many prompts only one side has, at most over the gated
    metrics. `notes` say what a reader must know beside it.
    """

    candidate: StageScores
    baseline: StageScores
    gates: list[Gate]
    outcome: Outcome
    missing: int
    notes: tuple[str, ...] = ()


def check(
    candidate: StageScores,
    baseline: StageScores,
    margins: Sequence[Margin] = (),
    allow_missing: int = 0,
    notes: Sequence[str] = (),
    *,
    across_engines: bool = False,
) -> Check:
    """Gate every metric that has a margin; without margins, those of the baseline that have a
    default one.

    With `across_engines` both sides may have been answered by different engines. Raises
    NotComparableError, and ValueError where there is nothing to gate.
    """
    _refuse_other_contract(candidate, baseline, across_engines=across_engines)
    if not same_tokenizer(candidate.tokenizer, baseline.tokenizer):
        candidate, baseline = without_tokens(candidate), without_tokens(baseline)
        notes = (*notes, OTHER_TOKENS)
    wanted = in_tiers(margins or defaults(baseline), {})
    measured, left_out = [], []
    for margin in wanted:
        try:
            measured.append(_measured(margin, candidate, baseline, allow_missing))
        except NotComparableError as error:
            # what only advises decides nothing, by being absent either
            if margin.tier != "advisory":
                raise
            left_out.append(str(error))
    gates = decide_all(measured)
    missing = max(gate.missing for gate in gates)
    engines = engines_differ(candidate.contract, baseline.contract)
    every_note = (
        *notes,
        *left_out,
        *([engines] if engines else []),
        *_not_gated(wanted, baseline),
        *_of_one_checkpoint(candidate, baseline),
    )
    return Check(candidate, baseline, gates, overall(gates), missing, every_note)


def defaults(baseline: StageScores) -> list[Margin]:
    """Return the margins that count where none is declared. Raises ValueError where none does.

    A win rate that is accuracy and brevity again is none of them: one claim would have to be shown
    twice.
    """
    again = _accuracies_again(baseline)
    margins = default_margins(gateable(baseline) - again)
    if not margins:
        usual = ", ".join(known.name for known in FIXED if known.margin is not None)
        raise ValueError(
            f"There is nothing to gate: the baseline has none of {usual}. Write a margin for what "
            f"it has: {', '.join(sorted(gateable(baseline))) or 'nothing by problem'}."
        )
    return margins


def _accuracies_again(scores: StageScores) -> set[str]:
    """Name the win rates whose judge decides by the targets that accuracy is read against."""
    names = gateable(scores)
    if "accuracy" not in names or not knows_targets(str(scores.contract.get("judge"))):
        return set()
    return {name for name in names if measure(name).family == "win rate"}


def gateable(scores: StageScores) -> set[str]:
    """Name the metrics that can have a margin: those with a value per prompt, and win rates at
    equal lengths.
    """
    present = {name for name, values in scores.values.items() if values}
    controlled = {at_equal_lengths(name) for name in scores.lengths if name in present}
    return {name for name in present | controlled if measure(name).against != "previous"}


def refuse_ungateable(margins: Sequence[Margin], scores: StageScores, side: str) -> None:
    """Raise NotComparableError where a side lacks a metric that decides."""
    for margin in margins:
        if margin.tier != "advisory":
            _refuse_missing_metric(margin, scores, side)


def _not_gated(wanted: Sequence[Margin], baseline: StageScores) -> Iterator[str]:
    """Say what would be gated by default and is not, and why."""
    gated = {margin.metric for margin in wanted}
    again = default_margins(_accuracies_again(baseline) - gated)
    if again and any(margin.given_by == DEFAULT for margin in wanted):
        judge = reprlib.repr(baseline.contract.get("judge"))
        yield from (
            f"{one.metric} is not gated by default: its judge {judge} knows the targets, so that "
            f"it is accuracy and brevity again. Gate it with --margin {one.metric}={one.size:g}."
            for one in again
        )
    if "imported" in baseline.contract:
        is_a_table = "responses" in str(baseline.contract["imported"])
        yield from _not_imported(gated, gateable(baseline), is_a_table=is_a_table)


def _not_imported(gated: set[str], names: set[str], *, is_a_table: bool) -> Iterator[str]:
    """Say which of the usual metrics an import lacks, and how they are given."""
    families = {measure(name).family for name in gated}
    if "length" not in families and "length_tokens" not in names:
        remedy = ""
        if "length_chars" in names:
            remedy = " Gate its characters with --margin length_chars=10."
        yield f"Length: not measured in tokens, the import has none.{remedy}"
    if "accuracy" not in names and not families & {"own score", "lm-eval task"}:
        remedy = (
            " Import it again with them in a column `target`, or named by --columns target=COLUMN."
            if is_a_table
            else ""
        )
        yield f"Accuracy: not measured, the import has no targets that are numbers.{remedy}"


def _of_one_checkpoint(candidate: StageScores, baseline: StageScores) -> list[str]:
    """Say what is not in a check of single trainings."""
    if candidate.trainings or baseline.trainings:
        return []
    return [
        "One checkpoint is compared with another: what another training seed would do is not in it."
    ]


def _refuse_other_contract(
    candidate: StageScores, baseline: StageScores, *, across_engines: bool
) -> None:
    difference = first_difference(
        candidate.contract, baseline.contract, across_engines=across_engines
    )
    if difference is not None and difference.field == "data":
        raise NotComparableError("data", _other_data(candidate, baseline))
    if difference is not None:
        remedy = "Evaluate both in one way, or bless a new baseline."
        if difference.field == "engine":
            remedy = f"{remedy[:-1]}, or ask for it with --across-engines."
        raise NotComparableError(
            difference.field,
            f"Not comparable: {difference.field} is {in_words(difference.mine)} in the "
            f"candidate's contract and {in_words(difference.theirs)} in the baseline's. "
            f"{remedy}",
        )


def _other_data(candidate: StageScores, baseline: StageScores) -> str:
    """Say whose problems are which: hashes of them would tell nobody anything."""
    mine, theirs = (_problems(scores) for scores in (candidate, baseline))
    sides = [f"the candidate has {_asked(candidate)}", f"the baseline {_asked(baseline)}"]
    if mine == theirs:
        ids = "with the same ids, so questions or targets differ"
    else:
        ids = f"{len(mine & theirs)} ids are on both sides"
    where = "Import" if "imported" in baseline.contract else "Evaluate"
    return (
        f"Not comparable: the problems differ (data): {' and '.join(sides)}, {ids}. {where} both "
        "on the same problems, or bless a new baseline."
    )


def _problems(scores: StageScores) -> set[str]:
    return {problem for values in scores.values.values() for problem in values}


def _asked(scores: StageScores) -> str:
    """Say how many problems of what a side was asked."""
    task, data = scores.contract.get("task"), scores.contract.get("data")
    # of an import `data` is a hash
    named = [task] if "imported" in scores.contract else [task, data]
    of = ", ".join(reprlib.repr(name) for name in named if name)
    n = max((len(values) for values in scores.values.values()), default=0)
    return f"{n:,} problems of {of or scores.run}"


def _measured(
    margin: Margin, candidate: StageScores, baseline: StageScores, allowed: int
) -> Evidence:
    _refuse_missing_metric(margin, baseline, "baseline")
    _refuse_missing_metric(margin, candidate, "candidate")
    _refuse_other_base(margin, candidate, baseline)
    _refuse_missing_prompts(margin, candidate, baseline, allowed)
    if measure(margin.metric).equal_lengths:
        return evidence_at_equal_lengths(margin, candidate, baseline)
    return evidence(margin, candidate, baseline)


def _refuse_missing_metric(margin: Margin, scores: StageScores, side: str) -> None:
    known = gateable(scores)
    if margin.metric not in known and measure(margin.metric).unit == "tokens":
        others = [other.name for other in FIXED if other.stands_in_for == margin.metric]
        in_characters = next((name for name in others if name in known), None)
        if in_characters is not None:
            raise NotComparableError(
                "tokenizer",
                f"Not comparable: '{margin.metric}' counts tokens, and the {side} is not measured "
                f"in tokens that both sides share. Gate {in_characters} instead.",
            )
    if scores.trainings and measure(margin.metric).equal_lengths:
        raise NotComparableError(
            margin.metric,
            f"Not comparable: '{margin.metric}' is fitted for one checkpoint, and the {side} is a "
            "recipe of several seeds. Gate the win rate itself, or name one training with --stage: "
            f"{', '.join(training.stage for training in scores.trainings)}.",
        )
    if margin.metric not in known:
        raise NotComparableError(
            margin.metric,
            f"Not comparable: the {side} has no scores of '{margin.metric}' by problem, which is "
            f"{margin.tier} ({margin.given_by}). It has: {', '.join(sorted(known)) or 'nothing'}.",
        )
    if measure(margin.metric).family == "win rate" and scores.fit is False:
        raise NotComparableError(
            "judge",
            f"Not comparable: the {side}'s judge {reprlib.repr(scores.contract.get('judge'))} is "
            "not fit to decide.",
        )


def _refuse_other_base(margin: Margin, candidate: StageScores, baseline: StageScores) -> None:
    if measure(margin.metric).against == "base" and candidate.opponent != baseline.opponent:
        raise NotComparableError(
            "base",
            f"Not comparable: '{margin.metric}' is against base, and the two sides' base models "
            "answer differently.",
        )


def _refuse_missing_prompts(
    margin: Margin, candidate: StageScores, baseline: StageScores, allowed: int
) -> None:
    mine, theirs = (
        scores.values[as_judged(margin.metric)].keys() for scores in (candidate, baseline)
    )
    only = sorted(mine ^ theirs)
    if len(only) > allowed or not mine & theirs:
        raise NotComparableError(
            "problems",
            f"Not comparable: {len(only)} of {len(mine | theirs)} problems have a "
            f"'{margin.metric}' on one side only, such as {reprlib.repr(only[0])}. Ask both the "
            f"same problems, or allow so many with --allow-missing {len(only)}.",
        )
