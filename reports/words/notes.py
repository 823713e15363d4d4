"""How to read a report: what its intervals, verdicts and less common metrics mean, as far as the
report has them.
"""

from stagelift.evals.metrics.measures import Measure, measure
from stagelift.reports.report import Report, RunReport


def footnotes(report: Report) -> list[str]:
    """Return how to read the table, as far as the report has what is explained."""
    names = {name for stage in report.stages() for name in stage.evaluation.metrics}
    measures = [measure(name) for name in names]
    notes = ["95% intervals in brackets, over the prompts, unless said."]
    if report.comparisons():
        notes += _comparison_notes(report)
    if any(map(_has_one_seed, report.runs)):
        notes.append(
            "One training seed: the intervals cover the choice of prompts, not what another seed "
            "would give."
        )
    if any(known.family != "lm-eval task" for known in measures):
        notes.append("Lengths, outcomes and win rates are of the test problems, unless said.")
    notes += _metric_notes(report, measures)
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


def _metric_notes(report: Report, measures: list[Measure]) -> list[str]:
    """Explain the less common metrics that the report has."""
    families = {known.family for known in measures}
    notes = []
    if "win rate" in families and any(
        str(run.record.contract["judge"]).startswith("reference") for run in report.runs
    ):
        notes.append(
            "The win rate's judge knows the answers: right beats wrong; of two right answers the "
            "shorter by more than 10% wins."
        )
    if any(known.equal_lengths for known in measures):
        notes.append(
            "At equal lengths: what the win rate would be if both wrote equally many characters, "
            "by a binomial regression on tanh(length difference / sd). Marked 'extrapolated' where "
            "nearly all of one side's responses are the longer ones."
        )
    if "preference accuracy" in families:
        notes.append(
            "Preference accuracy: how often the log-probability ratio to base is higher for the "
            "better answer of a held-out pair (base itself would be at 50%)."
        )
    if "time" in families:
        notes.append(
            "Time per response: what the engine took over a batch of problems, by the responses in "
            "it; n counts batches, intervals are over batches, differences are in seconds. It is "
            "of this machine, with whatever else ran on it."
        )
    if "pass@k" in families:
        notes.append(
            "pass@k: the share of problems that at least one of k samples solves (unbiased). "
            "Accuracy up and pass@k not: the model became surer of what it could do, not more "
            "capable."
        )
    return notes


def _comparison_notes(report: Report) -> list[str]:
    notes = [
        "Verdicts use Holm-adjusted p < 0.05 over the whole table, the intervals are each on their "
        "own: one may leave out zero where the verdict shows no difference. MDE is the smallest "
        "difference that this n would show with 80% power in a single test; 'n needed' is how many "
        "prompts would show the difference seen, were it the true one."
    ]
    if any(len(run.stages) > 1 for run in report.runs):
        notes += [
            "A column of what a stage added holds its difference to the stage before it, paired by "
            "prompt, in percentage points, tokens or characters; 'to base' is what the chain up to "
            "there added. Shorter and less often cut off count as improved; × is the ratio of "
            "geometric mean lengths.",
            "A win rate stands against base in a stage's own column, against the stage before in "
            "the column of what it added. Its verdict says whether it is above one half.",
        ]
    return notes


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
            "Verdicts: Holm-adjusted p < 0.05 over the whole report; MDE: the smallest difference "
            "this n would show with 80% power."
        )
    if any(map(_has_one_seed, report.runs)):
        notes.append("One training seed.")
    return " ".join(notes)


def _has_one_seed(run: RunReport) -> bool:
    trained = any(stage.training is not None for stage in run.stages)
    return trained and len({chain.seed for chain in run.record.chains}) < 2


def _ranking(run: RunReport) -> str:
    ranks = run.ranking
    unfit = " (by a judge that is NOT FIT TO DECIDE)" if run.has_unfit_judge else ""
    written = ", ".join(
        f"{rank.stage} {rank.strength.value:+.2f} [{rank.strength.low:+.2f}, "
        f"{rank.strength.high:+.2f}]"
        for rank in ranks
    )
    against, n = ranks[0].reference, ranks[0].strength.n
    return (
        f"Ranking of {run.name}{unfit}, by Bradley-Terry over all judged pairs (log-odds against "
        f"{against}, n={n} prompts): {written}."
    )
