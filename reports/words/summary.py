"""The report in a paragraph, made of its verdicts alone: what each stage improved, regressed, made
longer or shorter, or was not shown to change.

It has no opinion: it does not say why, whether a change is worth its cost, or which metric matters.
"""

from collections.abc import Sequence

from stagelift.evals.metrics.measures import (
    measure,
    ordered,
    win_rate_name,
    without_stand_ins,
)
from stagelift.evals.records import Group, Role
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.families import BESIDE_THE_MAIN
from stagelift.reports.numbers.headline import is_accuracy_again, main_metric
from stagelift.reports.numbers.seeds import without_seed
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import Report, RunReport
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.formatting import OTHER_FAMILY
from stagelift.reports.words.room import room_left
from stagelift.reports.words.study_summary import study_sentences, told_of, without_shares
from stagelift.reports.words.trajectory import trajectory_sentence


def summary(report: Report) -> str:
    """Return one paragraph; what has no verdict is not in it, and an unfit judge's verdicts are
    left out, which it says.
    """
    parts = [sentence for run in report.runs for sentence in _run(run, report)]
    parts += _between(report)
    if any(OTHER_FAMILY in part for part in parts):
        parts.append(f"{OTHER_FAMILY}: not of the headline, adjusted in a family of its own.")
    # studies say of their own differences what there is room for
    if any("no difference was shown" in part for part in parts):
        parts.append(f"That none was shown does not mean that there is none{_room(report)}.")
    return " ".join(parts)


def _run(run: RunReport, report: Report) -> list[str]:
    prefix = f"{run.name}: " if len(report.runs) > 1 else ""
    selected = map(trajectory_sentence, run.trajectories)
    said = [*_chain(run), *selected, *export_sentences(run), *_beside_reference(run), *_judge(run)]
    sentences = [sentence for sentence in said if sentence]
    missing = [*run.record.missing, *run.record.missing_exports]
    if missing:
        sentences.append(f"Not evaluated yet: {', '.join(missing)}.")
        sentences += filter(None, [without_shares(run)])
    if not sentences:
        alone = "Only one stage was measured, so nothing can be said of what any added."
        sentences = [
            alone if len(run.stages) == 1 else "No metric could be compared between the stages."
        ]
    return [prefix + sentences[0], *sentences[1:]]


def _between(report: Report) -> list[str]:
    """Say how the last stage of each run does beside that of the first one.

    Variants and subsets of stages have no last one: of these only the table says it.
    """
    first, *others = report.runs
    said = []
    for run in others:
        last, opposite = _end(run.record), _end(first.record)
        compared = [
            comparison
            for comparison in report.between
            if (comparison.run, comparison.stage, comparison.against) == (run.name, last, opposite)
            and measure(comparison.metric).noun is not None
        ]
        against = f"against {first.name}/{opposite}"
        said.append(_sentence(f"{run.name}/{last}", against, compared))
    if others and not report.between:
        return ["No metric could be compared between the runs."]
    return [sentence for sentence in said if sentence]


def _end(run: RunRecord) -> str:
    """Name the stage that a run ends with, without its seed where it has several."""
    last = run.stages[-1].name
    is_of_seeds = len(run.chains) > 1 and len({chain.variant for chain in run.chains}) == 1
    return without_seed(last) if is_of_seeds else last


def _chain(run: RunReport) -> list[str]:
    """A study's sentences come first; the stages that they are not of, as those of a study that is
    not finished, are told as those of a chain.
    """
    told = told_of(run)
    steps = [
        _step(stage, before, run) for before, stage in run.record.steps() if stage.name not in told
    ]
    if run.record.chains:
        return [*study_sentences(run), *steps]
    return [*steps, _whole_chain(run)]


def _step(stage: StageRecord, before: StageRecord, run: RunReport) -> str:
    """Against base a stage may have been judged as that or as the stage before."""
    opponents = {measure(name).against for name in stage.evaluation.metrics}
    role: Role = "base" if before.parent is None and "base" in opponents else "previous"
    compared = _comparisons(stage, before, role, run)
    return _sentence(stage.name, f"against {before.name}", compared)


def _whole_chain(run: RunReport) -> str:
    """With one trained stage that is what the stage did."""
    if len(run.stages) < 3:
        return ""
    first, last = run.stages[0], run.stages[-1]
    compared = _comparisons(last, first, "base", run)
    return _sentence(f"The whole chain up to {last.name}", f"against {first.name}", compared)


def export_sentences(run: RunReport) -> list[str]:
    """Say how what is deployed does beside the stage that it is made of."""
    pairs = [(export, run.record.before(export)) for export in run.record.exports]
    return [
        _sentence(
            f"The export {export.name}",
            f"against {of.name}",
            _comparisons(export, of, "previous", run),
        )
        for export, of in pairs
        if of is not None
    ]


def _beside_reference(run: RunReport) -> list[str]:
    """Beside a reference from elsewhere nothing improved: a win rate lies above or below one half,
    or is not shown to.
    """
    if run.has_unfit_judge:
        return []
    groups: tuple[Group, ...] = ("test", "preference")
    names = [win_rate_name("reference", group) for group in groups]
    pairs = [(name, stage) for stage in run.stages for name in names]
    found = [
        one for name, stage in pairs if (one := run.find(name, stage, "reference")) is not None
    ]
    return [
        f"{one.stage}'s win rate against the reference: {formatting.verdict(one)}." for one in found
    ]


def _judge(run: RunReport) -> list[str]:
    if run.has_unfit_judge:
        votes = [stage for stage in run.stages if any(v.corrected for v in stage.voted.values())]
        but = " but those that people's votes correct" if votes else ""
        return [f"The judge is not fit to decide, so no win rate counts here{but}."]
    rates = [(name, stage) for stage in run.stages for name in stage.verdicts]
    if any(is_accuracy_again(name, stage) for name, stage in rates):
        return ["The win rate is accuracy and brevity again: its judge knows the targets."]
    return []


def _comparisons(
    stage: StageRecord, other: StageRecord, role: Role, run: RunReport
) -> list[Comparison]:
    """Return the verdicts of a stage against another: one reading of each metric, and the win rate
    in this role where it says more than accuracy.
    """
    names = [
        name
        for name in ordered(without_stand_ins(stage.evaluation.metrics))
        if _counts(name, role) and not is_accuracy_again(name, stage)
    ]
    if run.has_unfit_judge:
        names = [name for name in names if measure(name).family != "win rate"]
    compared = [run.find(name, stage, other.name) for name in names]
    return [comparison for comparison in compared if comparison is not None]


def _counts(name: str, role: Role) -> bool:
    known = measure(name)
    return known.noun is not None and known.against in (None, role, "reference")


def _sentence(subject: str, against: str, compared: Sequence[Comparison]) -> str:
    """Say first what changed, then what the family of tests took away, what was not shown, and what
    is of the same responses.
    """
    changed = [
        f"{verb} {counting.listed(nouns)}"
        for verb in ("improved", "regressed")
        if (nouns := _nouns(compared, verb))
    ]
    clauses = [f"{counting.listed(changed)} {against}"] if changed else []
    clauses += [
        f"{counting.listed(nouns)} got {word}"
        for word in ("longer", "shorter", "slower", "faster")
        if (nouns := _nouns(compared, word))
    ]
    if taken := [
        f"{_noun(comparison)} ({formatting.p_value(comparison.p_adjusted or 1.0)})"
        for comparison in compared
        if comparison.verdict == "not after Holm"
    ]:
        clauses.append(f"not after Holm's adjustment: {counting.listed(taken)}")
    if unclear := _nouns(compared, "no difference shown"):
        clauses.append(f"no difference was shown in {counting.listed(unclear, 'or')}")
    if same := _nouns(compared, "identical"):
        clauses.append(f"the same responses, byte for byte, stand behind {counting.listed(same)}")
    if not clauses:
        return ""
    if changed:
        return f"{subject} {'; '.join(clauses)}."
    return f"{subject} {against}: {'; '.join(clauses)}."


def _nouns(compared: Sequence[Comparison], decision: str) -> list[str]:
    return [_noun(comparison) for comparison in compared if comparison.verdict == decision]


def _noun(comparison: Comparison) -> str:
    """Name a metric, with a mark where its test is not of the headline family."""
    known = measure(comparison.metric)
    noun = known.noun or known.title
    return f"{noun} {OTHER_FAMILY}" if comparison.family in BESIDE_THE_MAIN else noun


def _room(report: Report) -> str:
    """Say what the intervals of the main metric leave room for where no verdict showed anything."""
    unseen = [
        comparison
        for run in report.runs
        for comparison in run.comparisons
        if comparison.metric == main_metric(run.stages)
        and comparison.family in ("headline", "other")
        and comparison.verdict in ("no difference shown", "not after Holm")
    ]
    if not unseen:
        return ""
    # runs may be read for different metrics, whose sizes are not compared
    alike = [comparison for comparison in unseen if comparison.metric == unseen[0].metric]
    counted = " / ".join(dict.fromkeys(f"n={comparison.n}" for comparison in alike))
    return f": in {measure(alike[0].metric).title} ({counted}) the {room_left(alike)}"
