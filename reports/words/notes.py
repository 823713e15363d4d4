"""How to read a report: what its intervals, verdicts and less common metrics mean, as far as the
report has them.
"""

from collections.abc import Collection

from stagelift.evals.contract import EACH_ITS_OWN, engines_differ
from stagelift.evals.judges.passport import knows_targets
from stagelift.evals.metrics.measures import Measure, measure, ordered
from stagelift.evals.printed import one_line
from stagelift.evals.stats.prediction_powered import FEWEST
from stagelift.reports.report import Report, RunReport
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.smaller_batches import smaller_batches

_TARGETS = (
    "The win rate is accuracy and brevity again: its judge knows the targets. Right beats wrong; "
    "of two right answers the shorter by more than 10% wins. It is no part of the headline."
)
_VOTES = (
    "Win rate by votes: the judge's win rate over all judged prompts, corrected by people's votes "
    "on a random sample of them (prediction-powered inference, Angelopoulos et al. 2023, Science "
    "382:669, with the power tuning of arXiv:2311.01453); n counts prompts voted on. It says what "
    "these voters would have preferred on average, and holds for any judge, fit or not. In the "
    f"headline it takes the place of the judge's own. Fewer than {FEWEST} prompts are not enough."
)


def footnotes(report: Report) -> list[str]:
    """Return how to read the table, as far as the report has what is explained."""
    names = {name for stage in report.measured() for name in stage.evaluation.metrics}
    measures = [measure(name) for name in names]
    notes = ["95% intervals in brackets, over the prompts, unless said."]
    first, *others = [run.record.contract for run in report.runs]
    notes += sorted({engines_differ(first, other) for other in others} - {""})
    if report.comparisons():
        notes += _comparison_notes(report)
    if any(map(_has_one_seed, report.runs)):
        notes.append(
            "One training seed: the intervals cover the choice of prompts, not what another seed "
            "would give."
        )
    if any(known.family != "lm-eval task" for known in measures):
        notes.append("Lengths, outcomes and win rates are of the test problems, unless said.")
    notes += [*_metric_notes(report, measures), *_asking_notes(report)]
    notes += [
        note for stage in report.stages() for note in smaller_batches(stage, report.column(stage))
    ]
    rounded = [
        s.name
        for s in report.stages()
        if s.merged and s.evaluation.contract.get("dtype") != "float32"
    ]
    if rounded:
        notes.append(
            f"{', '.join(rounded)}: the adapters before are merged into the weights, which rounds "
            "them to 16 bits once; what these stages added has that rounding in it."
        )
    return [*notes, *(_ranking(run) for run in report.runs if run.ranking)]


def _asking_notes(report: Report) -> list[str]:
    """Say what it means that stages were asked in ways of their own."""
    own = {
        field: any(run.record.contract.get(field) == EACH_ITS_OWN for run in report.runs)
        for field in ("chat_template", "tokenizers")
    }
    notes = []
    if own["chat_template"]:
        notes.append(
            "Each stage answers in its own chat template: what a stage added has that in it."
        )
    if own["tokenizers"]:
        notes.append(
            "The stages' tokenizers differ: lengths are in characters, preference accuracy is of "
            "whole texts only, and the limit of a response is in each stage's own tokens, so that "
            "the same limit is not the same text."
        )
    return notes


def _metric_notes(report: Report, measures: list[Measure]) -> list[str]:
    """Explain the less common metrics that the report has."""
    families = {known.family for known in measures}
    notes = []
    if "win rate" in families and any(
        knows_targets(str(run.record.contract.get("judge"))) for run in report.runs
    ):
        notes.append(_TARGETS)
    if "own score" in families:
        notes += _own_notes(report)
    if "win rate by votes" in families:
        notes.append(_VOTES)
    if any(known.equal_lengths for known in measures):
        notes.append(
            "At equal lengths: what a binomial regression on tanh(length difference / sd) reads "
            "off where both wrote equally many characters. It takes out whatever goes with length, "
            "a judge's taste and real merit alike, so it does not say what a response would have "
            "got had it been shorter. 'Extrapolated': equal lengths are beyond most of what was "
            "seen, for one side is longer in nearly all pairs of unequal length, or by more than a "
            "standard deviation."
        )
    if "preference accuracy" in families:
        notes.append(
            "Preference accuracy: how often the log-probability ratio to base is higher for the "
            "better answer of a held-out pair (base itself would be at 50%)."
        )
    notes += _cost_notes(families)
    if "time" in families:
        notes.append(
            "Time per response: what the engine took over a batch of problems, by the responses in "
            "it; n counts batches, intervals are over batches, differences are in seconds. It is "
            "of this machine, with whatever else ran on it."
        )
    if "sampled accuracy" in families:
        notes.append(
            "Sampled accuracy: the share of right responses among those drawn at temperature 1 for "
            "each test problem beside the greedy one (the mean over its samples; n counts "
            "problems). It is another reading of the same problems, so its verdicts are not in the "
            "headline."
        )
    if "pass@k" in families:
        notes.append(
            "pass@k: the share of problems that at least one of k samples solves (unbiased). "
            "Accuracy up and pass@k not is what one would see where a model became surer of what "
            "it could do already."
        )
    return notes


def _own_notes(report: Report) -> list[str]:
    """Say what scores of a user's tasks are, and of which responses a scorer gave none."""
    notes = [
        "Own score: the mean of what a scorer of yours gave the responses, over the prompts that "
        "it measured. The first score of each task is in the headline. Under format, stopping and "
        "reasoning a response that is right in part counts by what it lacks."
    ]
    for stage in report.stages():
        for metric in ordered({name for score in stage.scores for name in score.scored}):
            found = [score.scored[metric] for score in stage.scores if metric in score.scored]
            failures = [one.failure for one in found if one.failure is not None]
            silent = sum(one.value is None for one in found) - len(failures)
            what = f"{report.column(stage)}: {metric}"
            if failures:
                first = one_line(failures[0])
                notes.append(
                    f"{what} FAILED on {len(failures)} of {len(found)} responses, which are not "
                    f"measured; the first time: {first}."
                )
            if silent:
                notes.append(f"{what} says nothing of {silent} of {len(found)} responses.")
    return notes


def _cost_notes(families: Collection[str]) -> list[str]:
    """Explain what a stage may have cost."""
    notes = []
    if "retention" in families:
        notes.append(
            "What a stage cost: instructions followed by lm-eval's IFEval verifiers, in clusters "
            "by kind of instruction; multiple choice by the log-probability of each answer, by "
            "character or summed (lm-eval's acc_norm and acc), in clusters by topic; text loss in "
            "bits per byte of plain text, in clusters by document. All of it is easy English: that "
            "nothing is shown lost there does not mean that nothing was lost."
        )
    if "looping" in families:
        notes.append(
            "Looping: of the last 32 four-grams of a response 70% or more stood in it twice before "
            "('looping-1' in a contract: once). Such a response is the outcome 'looping' unless "
            "its answer is right, whether or not it was cut off."
        )
    return notes


def _comparison_notes(report: Report) -> list[str]:
    notes = [
        f"{_families(report)} A verdict that claims a difference has p < 0.05 after the adjustment "
        "and an interval without zero; 'not after Holm': the interval leaves out zero, the "
        "adjustment takes the claim away.",
        "Which true differences the data leave room for is what an interval says. MDE plans the "
        "next comparison: it is the smallest true difference that the verdict would show with 80% "
        "power at this n, after the adjustment; 'n needed' is how many prompts it would take to "
        "show the difference seen, were it the true one. 'Identical' is said only of the same "
        "responses, byte for byte.",
    ]
    if any(len(run.stages) > 1 for run in report.runs):
        notes += [
            "A column of what a stage added holds its difference to the stage before it, paired by "
            "prompt, in percentage points, tokens or characters; 'to base' is what the chain up to "
            "there added. Neither longer nor shorter is better here; less often cut off counts as "
            "improved; × is the ratio of geometric mean lengths, with an interval of its own.",
            "A win rate stands against base in a stage's own column, against the stage before in "
            "the column of what it added. Its verdict says whether it is above one half.",
        ]
    if any(comparison.difference.clusters for comparison in report.comparisons()):
        notes.append(
            "Where problems come in clusters, such as templates, the interval is over clusters (t "
            "with one degree of freedom less than there are): more problems of the same templates "
            "would not narrow it."
        )
    return notes


def _families(report: Report) -> str:
    """Say how tests are adjusted, and how many there are in each family."""
    sizes = {comparison.family: comparison.tests for comparison in report.comparisons()}
    headline = counting.number_of(sizes.get("headline") or 0, "test")
    other = counting.number_of(sizes.get("other") or 0, "test")
    exported = counting.number_of(sizes.get("exports") or 0, "test")
    beside = counting.number_of(sizes.get("other of exports") or 0, "test")
    exports = ""
    if any(run.record.exports for run in report.runs):
        exports = (
            " What a stage is deployed as is compared with that stage alone, in two families of "
            f"its own: the same metrics ({exported}) and everything else, marked "
            f"{formatting.OTHER_FAMILY} ({beside}). It changes nothing "
            "of what is said of the stages."
        )
    return (
        "Two families of tests, each Holm-adjusted by itself, equal tests counted once: the "
        "headline, which is what each stage added to the one before in accuracy, each listed task, "
        f"preference accuracy, the win rate and length ({headline}), and everything else, "
        f"marked {formatting.OTHER_FAMILY} ({other}).{exports}"
    )


def brief_notes(report: Report) -> str:
    """Say in a line what a reader of a summary cannot do without."""
    notes = ["95% intervals in brackets."]
    if any(len(run.stages) > 1 for run in report.runs):
        notes.append(
            "A column of what a stage added holds paired differences to the stage before it, in "
            "percentage points, tokens or characters."
        )
    if report.comparisons():
        notes.append(
            "Verdicts: Holm-adjusted p < 0.05, in a headline family and one of everything else "
            f"(marked {formatting.OTHER_FAMILY}). What the data leave room for is the interval; "
            "MDE, for planning: the smallest true difference that the verdict would show with 80% "
            "power at this n."
        )
    if any(map(_has_one_seed, report.runs)):
        notes.append("One training seed.")
    return " ".join(notes)


def _has_one_seed(run: RunReport) -> bool:
    trained = any(stage.training is not None for stage in run.stages)
    return trained and len({chain.seed for chain in run.record.chains}) < 2


def _ranking(run: RunReport) -> str:
    ranks = run.ranking
    judge = " (by a judge that is NOT FIT TO DECIDE)" if run.has_unfit_judge else ""
    if knows_targets(str(run.record.contract.get("judge"))):
        judge = " (by a judge that knows the targets: accuracy and brevity again)"
    written = ", ".join(
        f"{rank.stage} {rank.strength.value:+.2f} [{rank.strength.low:+.2f}, "
        f"{rank.strength.high:+.2f}]"
        for rank in ranks
    )
    against, n = ranks[0].reference, ranks[0].strength.n
    return (
        f"Strengths of {run.name}{judge}, by Bradley-Terry over all judged pairs (log-odds against "
        f"{against}, n={n} prompts), in the order of the estimates, whether or not the data can "
        f"tell them apart: {written}."
    )
