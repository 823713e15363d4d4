"""Win rates by stage, as judged and at equal lengths, against every opponent there is."""

from collections.abc import Iterator, Sequence

from stagelift.evals.metrics.measures import by_votes, measure, win_rate_name
from stagelift.evals.records import Group, Role
from stagelift.reports.numbers.headline import is_accuracy_again
from stagelift.reports.plots.forest import Block, Estimate, Row, draw_forest
from stagelift.reports.plots.labels import column_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.svg import finish
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import value_with_n

PROMPTS: dict[Group, str] = {"test": "on problems", "preference": "on preference prompts"}
OPPONENTS: dict[Role, str] = {
    "base": "base",
    "previous": "the stage before",
    "reference": "the reference",
}
READINGS = ["as judged", "at equal lengths", "by votes"]
EXTRAPOLATED, UNFIT = "extrapolated", "judge not fit"


def win_rates_plot(report: Report) -> Plot | None:
    """Draw one block for each opponent and kind of prompt; None where nothing was judged."""
    stages = report.stages()
    labels = column_labels(report, stages)
    blocks = []
    for group, prompts in PROMPTS.items():
        for role, opponent in OPPONENTS.items():
            name = win_rate_name(role, group)
            again = ": accuracy and brevity again" if _is_accuracy_again(name, stages) else ""
            rows = list(_rows(stages, labels, role, group))
            if rows:
                blocks.append(Block(f"Against {opponent}, {prompts}{again}", rows))
    if not blocks:
        return None
    estimates = [estimate for block in blocks for row in block.rows for estimate in row.estimates]
    readings = READINGS[: 1 + max(estimate.series for estimate in estimates)]
    canvas = draw_forest(blocks, readings, _axis(estimates), center=0.5)
    return finish(canvas, "win_rates", "Win rates", " ".join(map(_sentence, blocks)))


def _rows(
    stages: Sequence[StageRecord], labels: Sequence[str], role: Role, group: Group
) -> Iterator[Row]:
    names = [win_rate_name(role, group, equal_lengths=controlled) for controlled in (False, True)]
    names.append(by_votes(names[0]))
    for stage, label in zip(stages, labels, strict=True):
        metrics = stage.evaluation.metrics
        estimates = [
            Estimate(metrics[name], series, _note(name, stage))
            for series, name in enumerate(names)
            if name in metrics
        ]
        if estimates:
            yield Row(label, estimates)


def _is_accuracy_again(name: str, stages: Sequence[StageRecord]) -> bool:
    return any(is_accuracy_again(name, stage) for stage in stages)


def _note(name: str, stage: StageRecord) -> str:
    """Say why an estimate is not to be relied on."""
    passport = stage.evaluation.passport
    if measure(name).family == "win rate by votes":
        return ""
    if passport is not None and passport.fit is False:
        return UNFIT
    if name in stage.evaluation.extrapolated:
        return EXTRAPOLATED
    return ""


def _axis(estimates: Sequence[Estimate]) -> str:
    title = "win rate, a tie counts half; 95% intervals"
    reasons = sorted({estimate.note for estimate in estimates if estimate.note})
    if not reasons:
        return title
    return f"{title}; hollow: {' or '.join(reasons)}"


def _sentence(block: Block) -> str:
    rows = [f"{row.label} {', '.join(map(_words, row.estimates))}" for row in block.rows]
    return f"{block.header}: {'; '.join(rows)}."


def _words(estimate: Estimate) -> str:
    words = f"{READINGS[estimate.series]} {value_with_n('win_rate', estimate.metric)}"
    if not estimate.note:
        return words
    return f"{words} ({estimate.note})"
